from pathlib import Path

import nibabel
import numpy as np
import pytest
from tiny_volumes import SHAPE, SPL, cut, ramp, save_nifti

from nestbench.errors import RequestError
from nestbench.formats import pictures
from nestbench.formats.geometry import canonical
from nestbench.formats.volumes import read_volume


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "A.NII.GZ"])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.float32])
def test_slices_are_along_the_third_axis_and_values_keep_their_type(tmp_path: Path, name: str, kind: type):
    found = read_volume(save_nifti(tmp_path / name, ramp(kind=kind)))
    assert (found.values == ramp()).all()
    assert found.values.dtype == kind
    assert np.allclose(found.affine, SPL)
    assert found.spacing == pytest.approx((3, 1.5, 2))
    assert found.placed


def test_channels_are_last_and_axes_of_one_do_not_count(tmp_path: Path):
    assert (read_volume(save_nifti(tmp_path / "c.nii", ramp((*SHAPE, 2)))).values == ramp((*SHAPE, 2))).all()
    nibabel.save(nibabel.Nifti1Image(ramp().T[..., None, None], np.eye(4)), tmp_path / "one.nii")
    assert (read_volume(tmp_path / "one.nii").values == ramp()).all()
    nibabel.save(nibabel.Nifti1Image(ramp()[0].T, np.eye(4)), tmp_path / "flat.nii")
    assert (read_volume(tmp_path / "flat.nii").values == ramp()[:1]).all()


def test_five_axes_are_refused(tmp_path: Path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2, 2, 2), np.uint8), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(RequestError, match=r"'.*a\.nii' has 5 axes, and 2 to 4 can be read"):
        read_volume(tmp_path / "a.nii")


def test_scaled_values_are_float32(tmp_path: Path):
    path = save_nifti(tmp_path / "a.nii", ramp())
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([2, -1024], "<f4").tobytes()  # scl_slope and scl_inter
    path.write_bytes(content)
    found = read_volume(path).values
    assert (found == ramp() * 2 - 1024).all()
    assert found.dtype == np.float32


def test_the_other_byte_order_is_read(tmp_path: Path):
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nibabel.save(nibabel.Nifti1Image(ramp().T, np.eye(4), header), tmp_path / "a.nii")
    assert (tmp_path / "a.nii").read_bytes()[:4] == bytes([0, 0, 1, 0x5C])
    found = read_volume(tmp_path / "a.nii").values
    assert (found == ramp()).all()
    assert found.dtype.isnative


def test_without_form_codes_a_volume_is_not_placed_and_keeps_its_steps(tmp_path: Path):
    image = nibabel.Nifti1Image(ramp().T, None)
    image.header.set_zooms((2, 1.5, 3))
    nibabel.save(image, tmp_path / "a.nii")
    found = read_volume(tmp_path / "a.nii")
    assert not found.placed
    assert found.spacing == (3, 1.5, 2)
    assert (canonical(found).values == ramp()).all()
    assert read_volume(save_nifti(tmp_path / "b.nii", ramp(), None)).spacing is None


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1)])
def test_an_identity_is_no_place_in_slices_as_wide_as_a_scanner_gives_them(tmp_path: Path, signs):
    affine = np.diag([*signs, 1])[:, [2, 1, 0, 3]]
    wide = ramp((2, 512, 512), np.int32)
    found = read_volume(save_nifti(tmp_path / "a.nii", wide, affine))
    assert (found.placed, found.spacing) == (False, None)
    assert (canonical(found).values == wide).all()


@pytest.mark.parametrize(
    ("shape", "affine"),
    [
        ((1, 512, 511), np.eye(4)),
        ((512, 1, 512), np.eye(4)),
        ((1, 512, 512), np.diag([0.5, 0.5, 1, 1])),
        ((1, 512, 512), np.eye(4) + np.outer([0, 0, 1, 0], [0, 0, 0, 5])),
        ((1, 512, 512), np.eye(4)[[1, 0, 2, 3]]),
    ],
)
def test_any_other_affine_is_a_place(tmp_path: Path, shape, affine):
    found = read_volume(save_nifti(tmp_path / "a.nii", np.zeros(shape, np.uint8), affine[:, [2, 1, 0, 3]]))
    assert found.placed
    assert np.allclose(found.affine[:, [2, 1, 0, 3]], affine)


def test_metres_and_microns_are_millimetres(tmp_path: Path):
    for unit, scale in (("meter", 1e3), ("micron", 1e-3), ("mm", 1), ("unknown", 1)):
        image = nibabel.Nifti1Image(ramp().T, np.diag([2, 2, 2, 1]))
        image.header.set_xyzt_units(unit)
        nibabel.save(image, tmp_path / "a.nii")
        assert read_volume(tmp_path / "a.nii").spacing == pytest.approx([2 * scale] * 3)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 0.0])
def test_an_affine_that_gives_no_place_is_refused(tmp_path: Path, wrong: float):
    path = save_nifti(tmp_path / "a.nii", ramp())
    content = bytearray(path.read_bytes())
    content[280:292] = np.array([wrong] * 3, "<f4").tobytes()  # srow_x, which is the one of the codes that is set
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"the affine in '.*a\.nii' gives its voxels no place: \[\["):
        read_volume(path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("share", [0, 0.02, 0.7])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, share: float):
    rng = np.random.default_rng(0)
    path = cut(save_nifti(tmp_path / name, rng.integers(0, 2000, (8, 20, 20)).astype(np.int16)), share)
    with pytest.raises(RequestError, match=rf"^cannot read '.*{name}': [^\n]+$"):
        read_volume(path)


def test_values_that_are_no_numbers_are_refused(tmp_path: Path):
    for kind in (np.complex64, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])):
        nibabel.save(nibabel.Nifti1Image(np.zeros((3, 3, 3), kind), np.eye(4)), tmp_path / "a.nii")
        with pytest.raises(RequestError, match=r"holds values of type .*, and plain numbers can be read"):
            read_volume(tmp_path / "a.nii")


def test_a_header_that_claims_too_much_is_refused_before_anything_is_unpacked(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PIXELS", 100)
    with pytest.raises(RequestError, match="it has more than 100 pixels"):
        read_volume(cut(save_nifti(tmp_path / "a.nii", ramp()), 0.9))
