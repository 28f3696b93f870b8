from pathlib import Path

import numpy as np
import pytest
from tiny_volumes import SHAPE, SPL, ramp, save_nifti, turned

from nestbench.datasets.contract import Case
from nestbench.datasets.readers.liver import Liver
from nestbench.errors import RequestError
from nestbench.predict.images import take
from nestbench.testing.datasets import check_dataset_plugin

HOUNSFIELD = ramp() - 100
LABELS = (ramp() % 3).astype(np.uint8)
IDENTITY = np.eye(4)[:, [2, 1, 0, 3]]
"""The affine of (d, h, w) of a NIfTI that has an identity."""


@pytest.fixture
def lits(tmp_path: Path) -> Path:
    """Volumes 0, 2 and 10 in two batches; those of 2 run otherwise, and its label otherwise again."""
    for number, batch in ((0, "Training Batch 1"), (2, "Training Batch 1"), (10, "Training Batch 2")):
        image = turned(HOUNSFIELD, SPL, (0, 1, 2), (False, number == 2, number == 2))
        label = turned(LABELS, SPL, (0, 1, 2), (number == 2, False, False))
        save_nifti(tmp_path / batch / f"volume-{number}.nii", *image)
        save_nifti(tmp_path / batch / f"segmentation-{number}.nii", *label)
    return tmp_path


def test_it_keeps_the_promises_of_a_data_set(lits: Path):
    check_dataset_plugin(Liver, lits)


def test_volumes_are_in_the_order_of_their_numbers_whatever_the_batch(lits: Path):
    assert Liver(lits).cases() == (Case("0", "0"), Case("2", "2"), Case("10", "10"))


@pytest.mark.parametrize("number", ["0", "2", "10"])
def test_image_and_label_are_turned_by_their_affines(lits: Path, number: str):
    sample = Liver(lits, target="parts").read(Case(number, number))
    assert (sample.image[..., 0] == HOUNSFIELD).all()
    assert sample.image.dtype == np.int16
    assert (sample.mask == LABELS).all()
    assert sample.spacing == pytest.approx((3, 1.5, 2))


def test_tumours_are_merged_into_the_liver_unless_parts_are_asked_for(lits: Path):
    assert (Liver(lits).read(Case("0", "0")).mask == (LABELS > 0)).all()
    assert Liver(lits).classes == ("background", "liver")
    assert Liver(lits, target="parts").classes == ("background", "liver", "tumour")


def test_float_files_are_read_and_fractions_in_labels_refused(lits: Path):
    folder = lits / "Training Batch 1"
    save_nifti(folder / "volume-0.nii", HOUNSFIELD.astype(np.float32))
    save_nifti(folder / "segmentation-0.nii", LABELS.astype(np.float64))
    sample = Liver(lits, target="parts").read(Case("0", "0"))
    assert sample.image.dtype == np.float32
    assert (sample.mask == LABELS).all()
    save_nifti(folder / "segmentation-0.nii", LABELS.astype(np.float64) / 2)
    with pytest.raises(RequestError, match=r"mask '.*segmentation-0\.nii' .* \(0\.5\): its classes are 0, 1, 2$"):
        Liver(lits).read(Case("0", "0"))


def test_an_identity_is_no_place_in_a_slice_as_a_scanner_gives_it(lits: Path):
    """3D-IRCADb's volumes in LiTS: spacing is not to be trusted, and nothing is turned."""
    wide, marked = ramp((2, 512, 512), np.int32), np.zeros((2, 512, 512), np.uint8)
    marked[1, 7, 9] = 1
    save_nifti(lits / "Training Batch 1/volume-0.nii", wide, IDENTITY)
    for affine in (IDENTITY, SPL):
        save_nifti(lits / "Training Batch 1/segmentation-0.nii", marked, affine)
        sample = Liver(lits).read(Case("0", "0"))
        assert sample.spacing is None
        assert (sample.image[..., 0] == wide).all()
        assert (sample.mask == marked).all()


@pytest.mark.parametrize("affine", [IDENTITY, SPL, np.diag([-1, -1, 1, 1])[:, [2, 1, 0, 3]]])
@pytest.mark.parametrize("shape", [(1, 512, 512), SHAPE])
def test_a_prediction_takes_a_volume_as_training_read_it(lits: Path, shape, affine):
    folder, values = lits / "Training Batch 1", np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    save_nifti(folder / "volume-0.nii", values, affine)
    save_nifti(folder / "segmentation-0.nii", values % 3, affine)
    sample, taken = Liver(lits).read(Case("0", "0")), take(folder / "volume-0.nii", 1)
    assert (taken.pixels == sample.image).all()
    assert taken.spacing == sample.spacing


@pytest.mark.parametrize(
    ("shape", "affine", "spacing"),
    [
        (SHAPE, IDENTITY, (1, 1, 1)),
        ((1, 512, 512), IDENTITY * [1, 0.5, 0.5, 1], (1, 0.5, 0.5)),
        ((1, 512, 512), IDENTITY + np.outer([1, 0, 0, 0], [0, 0, 0, 5]), (1, 1, 1)),
    ],
)
def test_any_other_affine_is_trusted(lits: Path, shape, affine, spacing):
    for name in ("volume", "segmentation"):
        save_nifti(lits / f"Training Batch 1/{name}-0.nii", np.zeros(shape, np.uint8), affine)
    assert Liver(lits).read(Case("0", "0")).spacing == spacing


def test_packed_files_are_read_and_two_of_a_number_refused(lits: Path):
    save_nifti(lits / "Training Batch 2/volume-10.nii.gz", HOUNSFIELD)
    with pytest.raises(RequestError, match=r"volume-10\.nii' and '.*volume-10\.nii\.gz' are one volume"):
        Liver(lits).read(Case("10", "10"))
    (lits / "Training Batch 2/volume-10.nii").unlink()
    assert (Liver(lits).read(Case("10", "10")).image[..., 0] == HOUNSFIELD).all()


@pytest.mark.parametrize("kind", ["volume", "segmentation"])
def test_a_missing_file_of_a_pair_is_named(lits: Path, kind: str):
    (lits / f"Training Batch 1/{kind}-2.nii").unlink()
    with pytest.raises(RequestError, match=rf"holds no {kind}-2\.nii for the other file of number 2"):
        [Liver(lits).read(case) for case in Liver(lits).cases()]


def test_a_label_of_another_size_names_both_files(lits: Path):
    save_nifti(lits / "Training Batch 1/segmentation-0.nii", LABELS[:, :5], SPL * [1, -1, 1, 1])
    with pytest.raises(
        RequestError, match=r"mask '.*segmentation-0\.nii' does not lie on image '.*volume-0\.nii': .*size"
    ):
        Liver(lits).read(Case("0", "0"))


@pytest.mark.parametrize("place", ["liver", "LiTS", "liver_ct_lits_format", "mine"])
def test_it_is_found_in_each_of_its_places(lits: Path, place: str):
    (lits / "Training Batch 1").rename(lits / place)
    assert len(Liver(lits, **({"path": "mine"} if place == "mine" else {})).cases()) == (2 if place == "mine" else 1)


def test_missing_data_says_where_it_was_looked_for_and_where_to_get_it(tmp_path: Path):
    with pytest.raises(RequestError, match=rf"neither '{tmp_path}' nor .* holds volume-0\.nii .*; register at "):
        Liver(tmp_path).cases()
    with pytest.raises(RequestError, match=r"neither 'not/here' nor '.*' holds volume-0\.nii"):
        Liver(tmp_path, path="not/here").fingerprint()


def test_a_wrong_option_is_one_sentence():
    with pytest.raises(RequestError, match=r"^data set 'liver': target is 'tumour'"):
        Liver(Path(), target="tumour")


def test_the_fingerprint_changes_with_files_and_target(lits: Path):
    before = Liver(lits).fingerprint()
    assert Liver(lits).fingerprint() == before
    assert Liver(lits, target="parts").fingerprint() != before
    save_nifti(lits / "Training Batch 1/volume-5.nii", HOUNSFIELD)
    assert Liver(lits).fingerprint() != before
