from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from tiny_volumes import SHAPE, cut, ramp, save_itk

from nestbench.errors import RequestError
from nestbench.formats import pictures
from nestbench.formats.geometry import canonical
from nestbench.formats.volumes import read_volume

NAMES = ["a.mha", "a.mhd", "a.nrrd"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32])
def test_values_type_and_spacing_are_those_of_the_file(tmp_path: Path, name: str, packed: bool, kind: type):
    found = read_volume(save_itk(tmp_path / name, ramp(kind=kind), useCompression=packed))
    assert (found.values == ramp()).all()
    assert found.values.dtype == kind
    assert found.spacing == (3, 1.5, 2)
    assert found.orientation == "SPL"
    assert (canonical(found).values == ramp()).all()


def test_the_place_is_that_of_itk_with_left_and_back_turned(tmp_path: Path):
    image = SimpleITK.GetImageFromArray(ramp())
    image.SetSpacing((2, 1.5, 3))
    image.SetOrigin((7, 8, 9))
    image.SetDirection((0, 1, 0, 1, 0, 0, 0, 0, -1))
    SimpleITK.WriteImage(image, tmp_path / "a.mha")
    found = read_volume(tmp_path / "a.mha")
    for index in ((0, 0, 0), (3, 5, 7), (1, 2, 3)):
        left, back, head = image.TransformIndexToPhysicalPoint(index[::-1])
        assert (found.affine @ [*index, 1])[:3] == pytest.approx([-left, -back, head])


def test_several_values_a_voxel_are_channels(tmp_path: Path):
    image = SimpleITK.GetImageFromArray(ramp((*SHAPE, 2)), isVector=True)
    SimpleITK.WriteImage(image, tmp_path / "a.nrrd")
    assert (read_volume(tmp_path / "a.nrrd").values == ramp((*SHAPE, 2))).all()


def test_a_picture_is_a_volume_of_one_slice_and_four_axes_are_refused(tmp_path: Path):
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(ramp((6, 8))), tmp_path / "flat.mha")
    assert (read_volume(tmp_path / "flat.mha").values == ramp((1, 6, 8))).all()
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(ramp((2, *SHAPE)), isVector=False), tmp_path / "four.mha")
    with pytest.raises(RequestError, match=r"four\.mha' has 4 axes, and 2 or 3 can be read"):
        read_volume(tmp_path / "four.mha")


@pytest.mark.parametrize(("steps", "spacing"), [("", None), ("spacings: 2 1.5 3\n", (3, 1.5, 2))])
def test_a_nrrd_without_a_space_is_not_placed(tmp_path: Path, steps: str, spacing: object):
    header = f"NRRD0004\ntype: short\ndimension: 3\nsizes: 8 6 4\n{steps}endian: little\nencoding: raw\n\n"
    (tmp_path / "a.nrrd").write_bytes(header.encode() + ramp().tobytes())
    found = read_volume(tmp_path / "a.nrrd")
    assert (found.values == ramp()).all()
    assert not found.placed
    assert found.spacing == spacing


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("share", [0.6, 0.999])
def test_a_damaged_file_is_named_and_nothing_else_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, packed: bool, share: float
):
    rng = np.random.default_rng(0)
    path = save_itk(tmp_path / name, rng.integers(0, 2000, (8, 20, 20)).astype(np.int16), useCompression=packed)
    cut(next(p for p in tmp_path.iterdir() if p.suffix in (".raw", ".zraw")) if name == "a.mhd" else path, share)
    with pytest.raises(RequestError, match=rf"^cannot read '.*{name}': it is damaged, or no volume$"):
        read_volume(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_something_else_is_named(tmp_path: Path, name: str):
    (tmp_path / name).write_text("nothing")
    with pytest.raises(RequestError, match=rf"^cannot read '.*{name}': it is damaged, or no volume$"):
        read_volume(tmp_path / name)


def test_a_header_that_claims_too_much_is_refused_before_anything_is_unpacked(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 100)
    with pytest.raises(RequestError, match="it has more than 100 pixels"):
        read_volume(save_itk(tmp_path / "a.mha", ramp()))
