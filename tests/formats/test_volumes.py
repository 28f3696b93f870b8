from pathlib import Path

import numpy as np
import pytest
import tifffile
from fake_lidc import write_slice
from PIL import Image
from tiny_volumes import SHAPE, ramp, save_itk, save_nifti

from nestbench.errors import RequestError
from nestbench.formats.volumes import Holds, by_stem, is_series, look, read_volume, stem, suffix


def test_a_packed_nifti_has_one_suffix():
    assert [suffix(Path(name)) for name in ("a.b.nii.gz", "A.NII.GZ", "a.nii", "a.MHA", "a.gz")] == [
        ".nii.gz",
        ".nii.gz",
        ".nii",
        ".mha",
        ".gz",
    ]
    assert [stem(Path(name)) for name in ("a.b.nii.gz", "a.nii", "a.x.mha", "a")] == ["a.b", "a", "a.x", "a"]


def test_files_are_found_by_their_stems(tmp_path: Path):
    for name in ("a.nii.gz", "a.nii", "b.mha", "c.gz", "d.txt", ".e.nii"):
        (tmp_path / name).touch()
    found = by_stem(tmp_path, (".nii.gz", ".nii", ".mha"))
    assert {name: [path.name for path in paths] for name, paths in found.items()} == {
        "a": ["a.nii", "a.nii.gz"],
        "b": ["b.mha"],
    }
    with pytest.raises(RequestError, match=r"cannot read '.*nowhere'"):
        by_stem(tmp_path / "nowhere", (".nii",))


MARK = bytes(128) + b"DICM"


@pytest.mark.parametrize(
    ("held", "found"),
    [
        ({"1.DCM": b""}, True),
        ({"1.dicom": b""}, True),
        ({"0-README.txt": b"read me", "1.IMA": b""}, True),
        ({"0-README.txt": b"read me", "1": MARK, "z.xml": b"<a/>"}, True),
        ({"1": b"nothing", ".1.dcm": MARK}, False),
        ({"DICOMDIR": MARK}, False),
        ({}, False),
    ],
)
def test_a_folder_is_a_series_by_the_name_of_any_file_or_by_its_mark(tmp_path: Path, held, found: bool):
    for name, content in held.items():
        (tmp_path / name).write_bytes(content)
    assert is_series(tmp_path) == found
    assert not any(is_series(path) for path in tmp_path.iterdir())


def test_a_folder_in_which_a_slice_is_found_is_a_series(tmp_path: Path):
    for name in ("1", "1.IMA", "1.dcm"):
        path = tmp_path / f"of-{name}" / name
        write_slice(path, ramp((6, 5)))
        (path.parent / "0-README.txt").write_text("read me")
        assert read_volume(path.parent).shape == (1, 6, 5)
        assert is_series(path.parent)


def test_a_look_says_what_a_file_holds(tmp_path: Path):
    tifffile.imwrite(tmp_path / "stack.tif", ramp(kind=np.uint8), photometric="minisblack")
    tifffile.imwrite(tmp_path / "page.tif", ramp((6, 8), np.uint8))
    Image.new("RGB", (4, 4)).save(tmp_path / "colour.png")
    looked = {
        look(save_nifti(tmp_path / "a.nii", ramp((*SHAPE, 2)))): Holds(volume=True, channels=2),
        look(save_itk(tmp_path / "a.mha", ramp())): Holds(volume=True, channels=1),
        look(tmp_path / "page.tif"): Holds(volume=False, channels=1),
        look(tmp_path / "colour.png"): Holds(volume=False, channels=3),
    }
    assert all(said == held for said, held in looked.items())
    assert look(tmp_path / "stack.tif") == look(tmp_path) == Holds(volume=True, channels=1)


def test_a_look_at_what_cannot_be_read_says_nothing(tmp_path: Path):
    for name in ("a.nii.gz", "a.nrrd", "a.tif"):
        (tmp_path / name).write_bytes(b"nothing")
    assert [look(tmp_path / name) for name in ("a.nii.gz", "a.nrrd", "a.tif", "none.nii")] == [None] * 4


@pytest.mark.parametrize("name", ["a.nii", "a.nrrd", "a.tif", "a"])
def test_a_missing_file_is_named(tmp_path: Path, name: str):
    with pytest.raises(RequestError, match=rf"cannot read '.*{name}': No such file or directory$"):
        read_volume(tmp_path / name)


def test_another_format_says_what_is_read(tmp_path: Path):
    (tmp_path / "a.png").touch()
    with pytest.raises(RequestError, match=r"a\.png' is no volume: \.nii\.gz, .* and folders of a DICOM series"):
        read_volume(tmp_path / "a.png")


def test_black_and_white_becomes_numbers(tmp_path: Path):
    tifffile.imwrite(tmp_path / "a.tif", ramp() % 2 > 0, photometric="minisblack")
    found = read_volume(tmp_path / "a.tif").values
    assert (found == ramp() % 2).all()
    assert found.dtype == np.uint8
