from pathlib import Path

import numpy as np
import pytest
from tiny_volumes import SHAPE, cut, ramp, save_itk

from nestbench.datasets.contract import Case
from nestbench.datasets.readers.brain_tumor import BrainTumor
from nestbench.errors import RequestError
from nestbench.testing.datasets import check_dataset_plugin

LABELS = (ramp() % 5).astype(np.int32)
MODALITIES = ("Flair", "T1", "T1c", "T2")


def save_part(patient: Path, part: str, values, number: int = 7) -> Path:
    name = f"VSD.Brain{'_3more' if part.endswith('OT') else ''}.XX.O.{part}.{number}"
    return save_itk(patient / name / f"{name}.mha", values, useCompression=True)


@pytest.fixture
def brats(tmp_path: Path) -> Path:
    """Two patients of high and one of low grade, with all modalities; each modality has its own values."""
    for place in ("HG/0001", "HG/0002", "LG/0001"):
        for step, modality in enumerate(MODALITIES):
            save_part(tmp_path / "BRATS-2_Image_Data" / place, f"MR_{modality}", ramp() + 1000 * step)
        save_part(tmp_path / "BRATS-2_Image_Data" / place, "XX.OT", LABELS)
    return tmp_path


def lose(brats: Path, patient: str, part: str) -> None:
    next((brats / "BRATS-2_Image_Data" / patient).glob(f"*{part}.*/*.mha")).unlink()


def test_it_keeps_the_promises_of_a_data_set(brats: Path):
    check_dataset_plugin(BrainTumor, brats)


def test_each_patient_is_a_subject_and_grades_have_numbers_of_their_own(brats: Path):
    assert BrainTumor(brats).cases() == tuple(Case(name, name) for name in ("HG-0001", "HG-0002", "LG-0001"))


def test_visits_of_one_patient_are_one_subject(brats: Path):
    for visit in ("HGG/brats_tcia_pat117_0001", "HGG/brats_tcia_pat117_0002", "LGG/brats_tcia_pat117_0003"):
        (brats / "BRATS2015_Training" / visit).mkdir(parents=True)
    cases = BrainTumor(brats, path="BRATS2015_Training", modalities=["t2"]).cases()
    assert [case.subject for case in cases] == ["brats_tcia_pat117"] * 3
    assert [case.id[:3] for case in cases] == ["HGG", "HGG", "LGG"]


def test_a_number_of_brats_2013_is_another_patient_in_the_other_grade_also_where_2015_keeps_it(brats: Path):
    for visit in ("HGG/brats_2013_pat0001_1", "LGG/brats_2013_pat0001_1"):
        (brats / "BRATS2015_Training" / visit).mkdir(parents=True)
    cases = BrainTumor(brats, path="BRATS2015_Training", modalities=["t2"]).cases()
    assert [case.subject for case in cases] == ["HGG-brats_2013_pat0001", "LGG-brats_2013_pat0001"]


def test_each_modality_is_found_by_its_pattern_and_t1_is_not_t1c(brats: Path):
    every = BrainTumor(brats)
    image = every.read(every.cases()[0]).image
    assert every.channels == 4
    assert [image[0, 0, 0, channel] for channel in range(4)] == [0, 1000, 2000, 3000]
    assert image.dtype == np.int16
    some = BrainTumor(brats, modalities=["t1c", "flair"])
    assert (every.marks, some.marks) == (("MR_Flair", "MR_T1.", "MR_T1c", "MR_T2"), ("MR_T1c", "MR_Flair"))
    assert [some.read(some.cases()[0]).image[0, 0, 0, channel] for channel in range(2)] == [2000, 0]


def test_spacing_is_that_of_the_files_and_axes_are_canonical(brats: Path):
    sample = BrainTumor(brats).read(Case("LG-0001", ""))
    assert sample.spacing == (3, 1.5, 2)
    assert (sample.image[..., 0] == ramp()).all()


@pytest.mark.parametrize(
    ("target", "classes", "merged"),
    [
        ("whole", 2, [0, 1, 1, 1, 1]),
        ("parts", 5, [0, 1, 2, 3, 4]),
        ("core", 2, [0, 1, 0, 1, 1]),
        ("enhancing", 2, [0, 0, 0, 0, 1]),
    ],
)
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32])
def test_labels_of_any_type_are_merged_as_the_target_says(brats: Path, target, classes, merged, kind):
    save_part(brats / "BRATS-2_Image_Data/HG/0001", "XX.OT", LABELS.astype(kind))
    data = BrainTumor(brats, target=target)
    assert (data.read(Case("HG-0001", "")).mask == np.array(merged)[LABELS]).all()
    assert len(data.classes) == classes


@pytest.mark.parametrize("options", [{}, {"modalities": ["flair", "t1"]}])
def test_a_patient_without_a_modality_that_another_has_is_named_and_the_others_are_read(brats: Path, options):
    lose(brats, "HG/0002", "MR_T1")
    data = BrainTumor(brats, **options)
    assert [case.id for case in data.cases()] == ["HG-0001", "HG-0002", "LG-0001"]
    for name in ("HG-0001", "LG-0001"):
        assert data.read(Case(name, "")).image.shape == (*SHAPE, len(options.get("modalities", MODALITIES)))
    with pytest.raises(RequestError, match=r"patient '.*HG/0002' has no t1 \(a \.mha named as \*MR_T1\.\*\)"):
        data.read(Case("HG-0002", ""))


def test_modalities_that_no_patient_has_are_no_channels_and_fewer_may_be_chosen(brats: Path):
    for patient in ("HG/0001", "HG/0002", "LG/0001"):
        lose(brats, patient, "MR_T2")
    lose(brats, "LG/0001", "MR_T1")
    assert BrainTumor(brats).marks == ("MR_Flair", "MR_T1.", "MR_T1c")
    fewer = BrainTumor(brats, modalities=["t1c"])
    assert [fewer.read(case).image.shape for case in fewer.cases()] == [(*SHAPE, 1)] * 3


def test_patients_without_any_modality_are_refused(brats: Path):
    for path in brats.rglob("*MR_*.mha"):
        path.unlink()
    with pytest.raises(RequestError, match=r"no patient of '.*Image_Data' has any modality .* \*MR_T1\.\*"):
        BrainTumor(brats).cases()


def test_a_patient_without_labels_or_with_two_files_of_a_kind_is_named(brats: Path):
    lose(brats, "HG/0001", "XX.OT")
    save_part(brats / "BRATS-2_Image_Data/HG/0002", "MR_T1", ramp(), number=8)
    data = BrainTumor(brats)
    with pytest.raises(RequestError, match=r"patient '.*HG/0001' has no labels \(a \.mha named as \*more\*OT\*\)"):
        data.read(Case("HG-0001", ""))
    with pytest.raises(RequestError, match=r"MR_T1\.7\.mha' and '.*MR_T1\.8\.mha' are of one patient and one kind"):
        data.read(Case("HG-0002", ""))


def test_a_file_of_another_size_a_damaged_one_and_a_strange_label_are_named(brats: Path):
    folder = brats / "BRATS-2_Image_Data"
    save_part(folder / "HG/0001", "MR_T2", ramp((4, 6, 7)))
    cut(next((folder / "HG/0002").glob("*Flair*/*.mha")))
    save_part(folder / "LG/0001", "XX.OT", LABELS + 1)
    data = BrainTumor(brats)
    with pytest.raises(RequestError, match=r"image '.*MR_T2\.7\.mha' does not lie on image '.*Flair\.7\.mha': .* size"):
        data.read(Case("HG-0001", ""))
    with pytest.raises(RequestError, match=r"cannot read '.*Flair\.7\.mha': it is damaged"):
        data.read(Case("HG-0002", ""))
    with pytest.raises(RequestError, match=r"mask '.*XX\.OT\.7\.mha' has values that are not declared \(5\)"):
        data.read(Case("LG-0001", ""))


@pytest.mark.parametrize("place", ["", "brain-tumor", "brats2013", "mine"])
def test_it_is_found_in_each_of_its_places(brats: Path, place: str):
    (brats / place).mkdir(exist_ok=True)
    (brats / "BRATS-2_Image_Data").rename(brats / place / "BRATS2015_Training")
    assert len(BrainTumor(brats, **({"path": "mine/BRATS2015_Training"} if place == "mine" else {})).cases()) == 3


def test_missing_data_says_where_it_was_looked_for_and_where_to_get_it(tmp_path: Path):
    with pytest.raises(RequestError, match=rf"neither '{tmp_path}/BRATS-2_Image_Data' nor .* register at "):
        BrainTumor(tmp_path).cases()
    (tmp_path / "HG").mkdir()
    with pytest.raises(RequestError, match="is empty: it should hold a folder for each patient"):
        BrainTumor(tmp_path).cases()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"modalities": ["flair", "flair"]}, "a modality is named twice"),
        ({"modalities": ["dwi"]}, "modalities.0 is 'dwi'"),
        ({"modalities": []}, "modalities: none is named, and there are flair, t1, t1c, t2$"),
        ({"target": "oedema"}, "target is 'oedema'"),
        ({"modality": ["t1"]}, "did you mean 'modalities'"),
    ],
)
def test_a_wrong_option_is_one_sentence(options: dict[str, object], sentence: str):
    with pytest.raises(RequestError, match=f"^data set 'brain-tumor': .*{sentence}"):
        BrainTumor(Path(), **options)


def test_the_fingerprint_changes_with_files_target_and_modalities(brats: Path):
    before = BrainTumor(brats).fingerprint()
    assert BrainTumor(brats).fingerprint() == before
    assert BrainTumor(brats, target="core").fingerprint() != before
    assert BrainTumor(brats, modalities=["t1"]).fingerprint() != before
    lose(brats, "LG/0001", "XX.OT")
    assert BrainTumor(brats).fingerprint() != before
