from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from skimage.segmentation import find_boundaries

from nestbench.cli.sheet import outline, write_sheet
from nestbench.datasets.contract import Sample
from nestbench.errors import RequestError


@given(hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 3)))
def test_an_outline_is_the_objects_inner_boundary(mask: np.ndarray) -> None:
    assert np.array_equal(outline(mask), find_boundaries(mask, connectivity=1, mode="inner"))


TILES = ((4, 4), (4, 168), (4, 332), (168, 4), (168, 168))


def sample(channels: int) -> Sample:
    mask = np.zeros((20, 30), np.uint8)
    mask[5:15, 5:15] = 1
    return Sample(np.full((20, 30, channels), 90, np.uint8), mask, None)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_shows_every_sample_with_its_outline(channels: int, tmp_path: Path) -> None:
    out = write_sheet([sample(channels)] * 5, tmp_path / "new" / "sheet.png")
    pixels = np.asarray(Image.open(out))
    assert pixels.shape[2] == 3
    outlined = [(pixels[top : top + 160, left : left + 160] == (255, 215, 0)).all(axis=2).sum() for top, left in TILES]
    assert len(set(outlined)) == 1
    assert outlined[0] == 2 * (53 + 80) - 4  # a third and a half of the tile's side, less four corners


def test_a_sheet_of_instances_parts_touching_objects(tmp_path: Path) -> None:
    image, mask, _ = sample(1)
    instances = mask.astype(np.int32)
    instances[:, 10:] *= 2
    together = np.asarray(Image.open(write_sheet([Sample(image, mask, None)], tmp_path / "a.png")))
    apart = np.asarray(Image.open(write_sheet([Sample(image, mask, instances)], tmp_path / "b.png")))
    assert (apart == (255, 215, 0)).all(axis=2).sum() > (together == (255, 215, 0)).all(axis=2).sum()


def test_a_sheet_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot write"):
        write_sheet([sample(1)], tmp_path / "file" / "sheet.png")
