import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_volumes import SHAPE, SPL, cut, ramp, save_itk, save_nifti, turned

from nestbench.datasets.contract import Case
from nestbench.datasets.readers.decathlon import Decathlon
from nestbench.errors import RequestError
from nestbench.testing.datasets import check_dataset_plugin

LABELS = (ramp() % 3).astype(np.uint8)
NAMES = ("la_003", "la_004", "la_010")


def describe(folder: Path, **changed: object) -> None:
    said = {
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "anterior", "2": "posterior"},
        "training": [{"image": f"./imagesTr/{n}.nii.gz", "label": f"./labelsTr/{n}.nii.gz"} for n in NAMES],
    }
    folder.mkdir(exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(said | changed))


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A task of the Decathlon: three volumes, one label of floats and one with other axes than its image."""
    folder = tmp_path / "Task02_Heart"
    describe(folder)
    for name, kind in zip(NAMES, (np.int16, np.float32, np.uint8), strict=True):
        save_nifti(folder / "imagesTr" / f"{name}.nii.gz", ramp(kind=kind))
        save_nifti(folder / "labelsTr" / f"{name}.nii.gz", LABELS)
    save_nifti(folder / "labelsTr/la_004.nii.gz", LABELS.astype(np.float32))
    save_nifti(folder / "labelsTr/la_010.nii.gz", *turned(LABELS, SPL, (0, 1, 2), (False, True, False)))
    return folder


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A raw folder of nnU-Net: two cases of two channels, in NRRD."""
    folder = tmp_path / "Dataset007_Own"
    describe(folder, channel_names={"0": "T1", "1": "T2"}, labels={"background": 0, "b": 2, "a": 1}, training=[])
    for name in ("x_0001", "y"):
        save_itk(folder / "labelsTr" / f"{name}.nrrd", LABELS)
        for channel in range(2):
            save_itk(folder / "imagesTr" / f"{name}_{channel:04d}.nrrd", ramp() + 1000 * channel)
    return folder


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """A raw folder of nnU-Net in 2D: one picture in colour stands for its three channels."""
    folder = tmp_path / "Dataset120_Roads"
    describe(folder, channel_names={"0": "R", "1": "G", "2": "B"}, labels={"background": 0, "road": 1}, training=[])
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir()
    Image.fromarray(ramp((6, 8, 3), np.uint8)).save(folder / "imagesTr/img-1_0000.png")
    Image.fromarray(ramp((6, 8), np.uint8) % 2).save(folder / "labelsTr/img-1.png")
    return folder


@pytest.mark.parametrize("made", ["task", "raw", "flat"])
def test_it_keeps_the_promises_of_a_data_set(made: str, request: pytest.FixtureRequest):
    check_dataset_plugin(Decathlon, request.getfixturevalue(made).parent, task=request.getfixturevalue(made).name)


def test_a_task_has_a_file_a_case_and_each_case_is_a_subject(task: Path):
    data = Decathlon(task.parent)
    assert data.cases() == tuple(Case(name, name) for name in NAMES)
    assert (data.classes, data.channels, data.dims) == (("background", "anterior", "posterior"), 1, 3)
    assert data.marks == ()
    for case, kind in zip(data.cases(), (np.int16, np.float32, np.uint8), strict=True):
        sample = data.read(case)
        assert (sample.image[..., 0] == ramp()).all()
        assert sample.image.dtype == kind
        assert (sample.mask == LABELS).all()
        assert sample.spacing == pytest.approx((3, 1.5, 2))


def test_the_expression_finds_the_subject(task: Path):
    assert [case.subject for case in Decathlon(task, subject="la_0(.)").cases()] == ["0", "0", "1"]


def test_channels_of_one_file_are_its_last_axis(task: Path):
    describe(task, modality={"0": "T2", "1": "ADC"})
    save_nifti(task / "imagesTr/la_003.nii.gz", ramp((*SHAPE, 2)))
    assert (Decathlon(task).read(Case("la_003", "")).image == ramp((*SHAPE, 2))).all()
    with pytest.raises(RequestError, match=r"la_004\.nii\.gz' .* hold 1 channels, and '.*dataset\.json' names 2"):
        Decathlon(task).read(Case("la_004", ""))


def test_channels_of_several_files_are_stacked_in_their_order(raw: Path):
    data = Decathlon(raw)
    assert [case.id for case in data.cases()] == ["x_0001", "y"]
    assert data.classes == ("background", "a", "b")
    assert data.marks == ("_0000.", "_0001.")
    for case in data.cases():
        sample = data.read(case)
        assert (sample.image == np.stack([ramp(), ramp() + 1000], axis=-1)).all()
        assert (sample.mask == LABELS).all()


def test_a_picture_in_colour_is_three_channels(flat: Path):
    data = Decathlon(flat)
    assert (data.dims, data.channels) == (2, 3)
    assert data.marks == ("_0000.",)
    sample = data.read(data.cases()[0])
    assert (sample.image == ramp((6, 8, 3), np.uint8)).all()
    assert (sample.mask == ramp((6, 8)) % 2).all()
    assert sample.spacing is None


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_each_format_of_nnunet_is_read(raw: Path, suffix: str):
    save = save_nifti if suffix == ".nii.gz" else save_itk
    for path in [*raw.glob("*/*.nrrd")]:
        path.unlink()
        save(path.with_suffix(suffix), LABELS + (path.parent.name == "imagesTr"))
    assert (Decathlon(raw).read(Case("y", "")).image == LABELS[..., None] + 1).all()


def test_files_that_are_listed_but_missing_and_the_reverse_are_named(task: Path):
    save_nifti(task / "imagesTr/la_099.nii.gz", ramp())
    save_nifti(task / "labelsTr/la_099.nii.gz", LABELS)
    (task / "imagesTr/la_003.nii.gz").unlink()
    (task / "labelsTr/la_004.nii.gz").unlink()
    data = Decathlon(task)
    assert [case.id for case in data.cases()] == [*NAMES, "la_099"]
    with pytest.raises(RequestError, match="imagesTr' holds no file of 'la_003'"):
        data.read(Case("la_003", ""))
    with pytest.raises(RequestError, match="labelsTr' holds no file of 'la_004'"):
        data.read(Case("la_004", ""))
    with pytest.raises(RequestError, match=r"la_099\.nii\.gz' is not listed as training in '.*dataset\.json'"):
        data.read(Case("la_099", ""))


def test_a_missing_channel_is_named(raw: Path):
    (raw / "imagesTr/y_0000.nrrd").unlink()
    with pytest.raises(RequestError, match=r"the channels of 'y' in '.*' are y_0001: 'y_0000' is not there"):
        Decathlon(raw).read(Case("y", ""))
    save_itk(raw / "imagesTr/x_0001_0001.mha", ramp())
    with pytest.raises(RequestError, match=r"are x_0001_0000, x_0001_0001, x_0001_0001: one of them is there twice"):
        Decathlon(raw).read(Case("x_0001", ""))


@pytest.mark.parametrize("lost", ["imagesTr", "labelsTr", ""])
def test_names_that_differ_only_in_case_are_refused(raw: Path, lost: str):
    for part, channel in (("imagesTr", "_0000"), ("imagesTr", "_0001"), ("labelsTr", "")):
        if part != lost:
            save_itk(raw / part / f"Y{channel}.nrrd", LABELS)
    with pytest.raises(RequestError, match=r"'.*Dataset007_Own' has names that differ only in case: 'Y' and 'y'$"):
        Decathlon(raw).cases()


def test_an_identity_that_a_slice_contradicts_is_no_place_in_any_set(task: Path):
    wide = np.arange(512 * 512).reshape(1, 512, 512).astype(np.uint8)
    for part, values in (("imagesTr", wide), ("labelsTr", wide % 3)):
        save_nifti(task / part / "la_003.nii.gz", values, np.eye(4)[:, [2, 1, 0, 3]])
    sample = Decathlon(task).read(Case("la_003", ""))
    assert (sample.image[..., 0] == wide).all()
    assert (sample.mask == wide % 3).all()
    assert sample.spacing is None


def test_two_labels_of_a_name_are_refused(raw: Path):
    save_itk(raw / "labelsTr/y.mha", LABELS)
    with pytest.raises(RequestError, match=r"mask '.*y\.mha' and '.*y\.nrrd' have one name"):
        Decathlon(raw).read(Case("y", ""))


def test_a_damaged_file_a_strange_label_and_another_grid_are_named(task: Path):
    cut(task / "imagesTr/la_003.nii.gz")
    save_nifti(task / "labelsTr/la_004.nii.gz", LABELS + 1)
    save_nifti(task / "labelsTr/la_010.nii.gz", LABELS, SPL + np.outer([1, 0, 0, 0], [0, 0, 0, 40]))
    for name, sentence in (
        ("la_003", r"cannot read '.*la_003\.nii\.gz'"),
        ("la_004", r"mask '.*la_004\.nii\.gz' has values that are not declared \(3\)"),
        ("la_010", r"mask '.*la_010\.nii\.gz' does not lie on image '.*': they differ in origin"),
    ):
        with pytest.raises(RequestError, match=sentence):
            Decathlon(task).read(Case(name, ""))


def test_pictures_of_other_sizes_are_named(flat: Path):
    Image.new("L", (6, 8)).save(flat / "labelsTr/img-1.png")
    with pytest.raises(RequestError, match=r"labelsTr/img-1\.png' is 6 x 8 pixels, '.*img-1_0000\.png' 8 x 6 pixels"):
        Decathlon(flat).read(Case("img-1", ""))


def test_an_unreadable_image_does_not_hide_behind_the_dimension(raw: Path, flat: Path):
    (raw / "imagesTr/x_0001_0000.nrrd").write_bytes(b"nothing")
    (flat / "imagesTr/img-1_0000.png").write_bytes(b"nothing")
    assert Decathlon(raw).dims == 3
    assert Decathlon(flat).dims == 2
    with pytest.raises(RequestError, match=r"cannot read '.*img-1_0000\.png'"):
        Decathlon(flat).read(Case("img-1", ""))


def test_an_empty_folder_is_refused(task: Path):
    for path in (task / "imagesTr").iterdir():
        path.unlink()
    with pytest.raises(RequestError, match=r"imagesTr' is empty: it should hold \.nii\.gz, \.nii, \.nrrd"):
        Decathlon(task).cases()


def test_a_task_of_the_decathlon_can_be_fetched_and_another_cannot():
    assert Decathlon(Path(), task="Task04_Hippocampus").about.downloads[0].folder == "decathlon/Task04_Hippocampus"
    assert Decathlon(Path(), path="x/Task09_Spleen").about.licence == "CC BY-SA 4.0"
    own = Decathlon(Path(), path="Dataset001_Own").about
    assert (own.title, own.downloads) == ("Dataset001_Own", ())
    assert "task: Task04_Hippocampus" in Decathlon(Path()).about.obtain


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"path": "x", "task": "y"}, "give one of them"),
        ({"task": "../x"}, "must be letters"),
        ({"subject": "x"}, "has 0 groups"),
        ({"tsk": "x"}, "did you mean 'task'"),
    ],
)
def test_a_wrong_option_is_one_sentence(options: dict[str, object], sentence: str):
    with pytest.raises(RequestError, match=f"^data set 'decathlon': .*{sentence}"):
        Decathlon(Path(), **options)


def test_the_fingerprint_changes_with_files_and_what_is_said_of_them(task: Path):
    before = Decathlon(task).fingerprint()
    assert Decathlon(task).fingerprint() == before
    assert Decathlon(task, subject="(la)").fingerprint() != before
    describe(task, labels={"0": "background", "1": "posterior", "2": "anterior"})
    described = Decathlon(task).fingerprint()
    assert described != before
    (task / "labelsTr/la_010.nii.gz").unlink()
    assert Decathlon(task).fingerprint() != described
