from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from skimage.segmentation import find_boundaries

from nestbench.cli.sheet import outline, tile, write_sheet
from nestbench.datasets.contract import Sample
from nestbench.errors import RequestError

FIRST, SECOND = (255, 96, 0), (0, 200, 255)
ENDS = (0.0, 100.0)
TILES = ((4, 4), (4, 208), (4, 412), (208, 4), (208, 208))


def sample(channels: int) -> Sample:
    mask = np.zeros((20, 40), np.uint8)
    mask[5:15, 10:20] = 1
    return Sample(np.full((20, 40, channels), 90, np.uint8), mask)


def volume(kind: type = np.int16) -> Sample:
    """Five planes of which the fourth has most of an object."""
    mask = np.zeros((5, 20, 20), np.uint8)
    mask[2, 5:10, 5:10] = 1
    mask[3, 5:15, 5:15] = 1
    image = np.broadcast_to(np.arange(20), (5, 20, 20))[..., None] + np.arange(5)[:, None, None, None]
    return Sample(np.ascontiguousarray(image, kind), mask, None, (5.0, 1.0, 1.0))


def drawn(one: Sample) -> np.ndarray:
    return np.asarray(tile(one, None, ENDS))


def marked(pixels: np.ndarray, colour: tuple[int, int, int] = FIRST) -> int:
    return int((pixels == colour).all(axis=2).sum())


@given(hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 3)))
def test_an_outline_is_the_objects_inner_boundary(mask: np.ndarray) -> None:
    assert np.array_equal(outline(mask), find_boundaries(mask, connectivity=1, mode="inner"))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_sheet_shows_every_sample_with_its_outline(channels: int, tmp_path: Path) -> None:
    out = write_sheet([tile(sample(channels), None, ENDS)] * 5, tmp_path / "new" / "sheet.png")
    pixels = np.asarray(Image.open(out))
    assert pixels.shape[2] == 3
    outlined = [marked(pixels[top : top + 200, left : left + 200]) for top, left in TILES]
    assert len(set(outlined)) == 1
    assert outlined[0] == 4 * 50 - 4  # a quarter of the tile's width, less four corners


def test_a_picture_keeps_its_proportions_and_stands_in_the_middle_of_its_square(tmp_path: Path) -> None:
    assert drawn(sample(1)).shape == (100, 200, 3)
    page = np.asarray(Image.open(write_sheet([tile(sample(1), None, ENDS)], tmp_path / "a.png")))
    assert page.shape == (208, 208, 3)
    assert (page[:54] == page[0, 0]).all()
    assert (page[-54:] == page[0, 0]).all()
    assert (page[54:154, 4:204] != page[0, 0]).any(axis=2).all()


def test_steps_of_different_length_stretch_a_picture() -> None:
    assert drawn(sample(1)._replace(spacing=(2.0, 1.0))).shape == (200, 200, 3)
    assert drawn(volume()._replace(spacing=(9.0, 1.0, 4.0))).shape == (50, 200, 3)


def test_a_volume_is_shown_by_the_plane_with_most_of_an_object() -> None:
    assert marked(drawn(volume())) == 4 * 100 - 4


def test_a_volume_of_instances_is_shown_by_the_plane_with_most_of_them() -> None:
    instances = volume().mask.astype(np.int32)
    instances[2, 5:7, 5:10] = 2
    assert marked(drawn(volume()._replace(instances=instances))) < 4 * 100 - 4


def test_a_volume_without_objects_is_shown_by_its_middle() -> None:
    empty = volume(np.uint8)
    empty.mask[:] = 0
    assert drawn(empty)[0, 0].tolist() == [2, 2, 2]


def test_measurements_use_the_whole_range_of_grey_or_that_of_a_window() -> None:
    empty = volume()
    empty.mask[:] = 0
    assert (drawn(empty).min(), drawn(empty).max()) == (0, 255)
    assert (np.asarray(tile(empty, (100, 200), ENDS)) == 0).all()


def test_classes_have_colours_of_their_own() -> None:
    parts = sample(1)
    parts.mask[5:15, 25:35] = 2
    assert marked(drawn(parts), SECOND) == marked(drawn(parts), FIRST) > 0


def test_a_sheet_of_instances_parts_touching_objects() -> None:
    together = sample(1)
    instances = together.mask.astype(np.int32)
    instances[:, 15:] *= 2
    apart = together._replace(instances=instances)
    assert marked(drawn(apart)) > marked(drawn(together))


def test_a_sheet_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot write"):
        write_sheet([tile(sample(1), None, ENDS)], tmp_path / "file" / "sheet.png")
