from pathlib import Path

import numpy as np
import pytest
import tifffile
from tiny_volumes import SHAPE, cut, ramp

from nestbench.errors import RequestError
from nestbench.formats import pictures
from nestbench.formats.volumes import read_volume

WAYS = [
    {"photometric": "minisblack"},
    {"compression": "zlib", "photometric": "minisblack"},
    {"imagej": True, "metadata": {"axes": "ZYX"}},
]


@pytest.mark.parametrize("how", WAYS)
def test_each_page_is_a_slice(tmp_path: Path, how: dict[str, object]):
    tifffile.imwrite(tmp_path / "a.tif", ramp(), **how)
    found = read_volume(tmp_path / "a.tif")
    assert (found.values == ramp()).all()
    assert found.values.dtype == np.int16
    assert found.spacing is None
    assert not found.placed


def test_one_page_is_one_slice(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tiff", ramp((6, 8)))
    assert (read_volume(tmp_path / "a.tiff").values == ramp((1, 6, 8))).all()


def test_colour_has_three_channels_without_transparency(tmp_path: Path):
    for channels, kept in ((3, 3), (4, 3)):
        values = ramp((*SHAPE, channels), np.uint8)
        tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
        assert (read_volume(tmp_path / "a.tif").values == values[..., :kept]).all()


def test_pages_that_are_no_slices_are_refused(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", ramp((3, 6, 8)), imagej=True, metadata={"axes": "CYX"})
    with pytest.raises(RequestError, match=r"holds pages that are no stack of slices \(its axes are CYX\)"):
        read_volume(tmp_path / "a.tif")
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:
        file.write(ramp((6, 8)))
        file.write(ramp((5, 7)))
    with pytest.raises(RequestError, match=r"holds pages that are no stack of slices \(its axes are YX, YX\)"):
        read_volume(tmp_path / "b.tif")


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.9])
def test_a_stack_that_breaks_off_is_never_a_shorter_one(tmp_path: Path, how: dict[str, object], share: float):
    rng = np.random.default_rng(0)
    tifffile.imwrite(tmp_path / "a.tif", rng.integers(0, 999, (9, 40, 40)).astype(np.int16), **how)
    with pytest.raises(RequestError, match=r"^cannot read '.*a\.tif': [^\n]+$"):
        read_volume(cut(tmp_path / "a.tif", share))


def test_pages_that_are_lost_are_counted(tmp_path: Path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for _ in range(9):
            file.write(np.zeros((40, 40), np.uint8), metadata=None)
    with pytest.raises(RequestError, match=r"'.*a\.tif': it breaks off after page [4-6]$"):
        read_volume(cut(tmp_path / "a.tif"))


def test_a_header_that_claims_too_much_is_refused_before_anything_is_unpacked(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 100)
    tifffile.imwrite(tmp_path / "a.tif", ramp(), photometric="minisblack")
    with pytest.raises(RequestError, match="it has more than 100 pixels"):
        read_volume(tmp_path / "a.tif")
