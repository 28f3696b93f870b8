from pathlib import Path

import numpy as np
import pytest
import tifffile
from fake_lidc import write_slice
from PIL import Image
from tiny_volumes import SHAPE, SPL, cut, ramp, save_itk, save_nifti, turned

from nestbench.datasets.contract import Case
from nestbench.datasets.readers.folder import Folder
from nestbench.datasets.readers.labels import numbered
from nestbench.errors import RequestError
from nestbench.testing.datasets import check_dataset_plugin

GREY = np.full((20, 24), 90, np.uint8)
EMPTY = np.zeros((20, 24), np.uint8)


def read_all(folder: Folder):
    return [folder.read(case) for case in folder.cases()]


def test_images_and_masks_are_paired_by_name(own: Path):
    folder = Folder(Path(), path=str(own))
    for case, sample in zip(folder.cases(), read_all(folder), strict=True):
        with Image.open(own / "images" / f"{case.id}.png") as picture:
            assert (sample.image[..., 0] == np.asarray(picture)).all()
        with Image.open(own / "masks" / f"{case.id}.png") as picture:
            assert (sample.mask == np.asarray(picture) // 255).all()
        assert sample.instances is None


def test_without_an_expression_each_image_is_a_subject(own: Path):
    assert Folder(Path(), path=str(own)).cases()[0] == Case("p0_0", "p0_0")


def test_the_expression_finds_the_subject(own: Path):
    cases = Folder(Path(), path=str(own), subject="(p[0-9]+)_").cases()
    assert [case.subject for case in cases] == ["p0", "p0", "p1", "p1", "p2", "p2"]


def test_names_without_a_subject_are_listed(own: Path):
    with pytest.raises(RequestError, match=r"finds no subject in 'p1_2'; 'p1_3'; 'p2_4'; and 1 more"):
        Folder(Path(), path=str(own), subject="(p0)").cases()


def test_a_path_is_looked_for_below_the_current_folder_and_below_the_root(own: Path, monkeypatch: pytest.MonkeyPatch):
    assert len(Folder(own.parent, path="own").cases()) == 6
    monkeypatch.chdir(own.parent)
    assert len(Folder(Path("nowhere"), path="own").cases()) == 6
    assert Folder(Path("nowhere"), path="own").about.title == "own"


def test_a_missing_folder_is_named_wherever_it_was_looked_for(tmp_path: Path):
    with pytest.raises(RequestError, match=rf"neither 'mine' nor '{tmp_path}/mine' is a folder"):
        Folder(tmp_path, path="mine").cases()


@pytest.mark.parametrize("part", ["images", "masks"])
def test_a_missing_part_is_named(own: Path, part: str):
    (own / part).rename(own / "other")
    with pytest.raises(RequestError, match=rf"cannot read '.*own/{part}': No such file or directory"):
        Folder(Path(), path=str(own)).cases()
    assert len(Folder(Path(), path=str(own), **{part: "other"}).cases()) == 6


def test_an_empty_folder_is_refused(tmp_path: Path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(RequestError, match=r"images' is empty: it should hold \.png, \.tif"):
        Folder(Path(), path=str(tmp_path)).cases()


def test_hidden_and_foreign_files_are_no_images(own: Path):
    (own / "images" / "._p0_0.png").write_bytes(b"")
    (own / "masks" / "notes.txt").write_text("notes")
    assert len(Folder(Path(), path=str(own)).cases()) == 6


@pytest.mark.parametrize(
    ("removed", "sentence"),
    [
        ("masks", r"image '.*images/p0_0\.png' has no mask of its name in '.*masks'"),
        ("images", r"mask '.*masks/p0_0\.png' has no image of its name in '.*images'"),
    ],
)
def test_a_file_without_its_pair_is_named(own: Path, removed: str, sentence: str):
    (own / removed / "p0_0.png").unlink()
    with pytest.raises(RequestError, match=sentence):
        read_all(Folder(Path(), path=str(own)))


def test_two_files_of_one_name_are_refused(own: Path, save):
    save(own / "images" / "p0_0.bmp", GREY)
    with pytest.raises(RequestError, match=r"image '.*p0_0\.bmp' and '.*p0_0\.png' have one name"):
        read_all(Folder(Path(), path=str(own)))


def test_a_mask_of_another_size_is_named(own: Path, save):
    save(own / "masks" / "p0_0.png", np.zeros((24, 20), np.uint8))
    with pytest.raises(RequestError, match=r"mask '.*p0_0\.png' is 20 x 24 pixels, its image 24 x 20 pixels"):
        read_all(Folder(Path(), path=str(own)))


def test_a_value_that_is_not_declared_is_refused_and_says_how_to_declare_it(own: Path, save):
    save(own / "masks" / "p0_0.png", np.where(np.eye(20, 24) > 0, 128, 7).astype(np.uint8))
    sentence = r"mask '.*p0_0\.png' .* not declared \(7, 128\): .*\{background: 0, foreground: 255, NAME: VALUE\}"
    with pytest.raises(RequestError, match=sentence):
        read_all(Folder(Path(), path=str(own)))


def test_a_mask_in_jpeg_is_refused(own: Path, save):
    (own / "masks" / "p0_0.png").unlink()
    save(own / "masks" / "p0_0.jpg", EMPTY)
    with pytest.raises(RequestError, match=r"p0_0\.jpg' is a JPEG, which changes values"):
        read_all(Folder(Path(), path=str(own)))


def test_the_background_is_class_0_wherever_it_is_declared(own: Path, save):
    save(own / "masks" / "p0_0.png", np.where(np.eye(20, 24) > 0, 128, 255).astype(np.uint8))
    classes = {"cell": 128, "foreground": 0, "background": 255}
    folder = Folder(Path(), path=str(own), classes=classes)
    assert folder.classes == ("background", "cell", "foreground")
    assert (folder.read(Case("p0_0", "p0_0")).mask == np.eye(20, 24)).all()


def test_grey_images_have_one_channel_and_one_in_colour_makes_three(own: Path, save):
    assert Folder(Path(), path=str(own)).channels == 1
    save(own / "images" / "p0_0.png", np.dstack([GREY, EMPTY, GREY]))
    folder = Folder(Path(), path=str(own))
    assert folder.channels == 3
    assert {sample.image.shape for sample in read_all(folder)} == {(20, 24, 3)}


def test_an_unreadable_image_does_not_hide_behind_the_channels(own: Path):
    (own / "images" / "p0_0.png").write_bytes(b"nothing")
    folder = Folder(Path(), path=str(own))
    assert folder.channels == 1
    with pytest.raises(RequestError, match=r"cannot read '.*images/p0_0\.png': it is damaged, or no image"):
        read_all(folder)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"classes": {"cell": 255, "gap": 0}}, "no value is declared for 'background'"),
        ({"classes": {"background": 0}}, "1 classes are declared"),
        ({"classes": {"background": 0, "cell": 0}}, "the same value"),
        ({"classes": {"background": -1, "cell": 0}}, "greater than or equal to 0"),
        ({"subject": "p[0-9]+"}, "has 0 groups, and needs one"),
        ({"subject": "(p"}, "is no regular expression"),
        ({"sbject": "(p)"}, "did you mean 'subject'"),
    ],
)
def test_a_wrong_option_is_one_sentence(options: dict[str, object], sentence: str):
    with pytest.raises(RequestError, match=f"^data set 'folder': .*{sentence}"):
        Folder(Path(), path="own", **options)


def test_the_fingerprint_changes_with_files_and_classes(own: Path, save):
    def fingerprint(**options: object) -> object:
        return Folder(Path(), path=str(own), **options).fingerprint()

    before = fingerprint()
    assert fingerprint() == before
    assert fingerprint(classes={"background": 255, "cell": 0}) != before
    assert fingerprint(subject="(p[0-9])") != before
    save(own / "masks" / "p0_0.png", GREY)
    assert fingerprint() != before


LABELS = np.where(ramp() % 3 == 0, 255, 0).astype(np.uint8)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Three volumes: NIfTI with a mask of other axes, a series of DICOM with a mask in NRRD, a MetaImage."""
    folder = tmp_path / "scans"
    save_nifti(folder / "images/a.1.nii.gz", ramp())
    save_nifti(folder / "masks/a.1.nii.gz", *turned(LABELS, SPL, (0, 2, 1), (False, True, False)))
    for place, plane in enumerate(ramp()):
        write_slice(folder / f"images/b/{9 - place}.dcm", plane, z=3.0 * place)
    series = np.array([[0, 0, -0.25, 10], [0, -0.5, 0, 20], [3, 0, 0, 0], [0, 0, 0, 1]])
    save_nifti(folder / "masks/b.nii", *turned(LABELS, series, (2, 1, 0), (True, False, False)))
    save_itk(folder / "images/c.mha", ramp())
    save_itk(folder / "masks/c.nrrd", LABELS)
    return folder


@pytest.mark.parametrize("made", ["own", "scans"])
def test_it_keeps_the_promises_of_a_data_set(made: str, request: pytest.FixtureRequest):
    check_dataset_plugin(Folder, Path(), path=str(request.getfixturevalue(made)))


def test_volumes_of_any_format_are_paired_by_name_and_place(scans: Path):
    folder = Folder(Path(), path=str(scans))
    assert (folder.dims, folder.channels) == (3, 1)
    assert [case.id for case in folder.cases()] == ["a.1", "b", "c"]
    for sample in read_all(folder):
        assert (sample.image[..., 0] == ramp()).all()
        assert sample.image.dtype == np.int16
        assert (sample.mask == LABELS // 255).all()
    assert [sample.spacing for sample in read_all(folder)] == [(3, 1.5, 2), (3, 0.5, 0.25), (3, 1.5, 2)]


def test_a_tiff_of_many_pages_is_a_volume_whose_spacing_is_not_known(tmp_path: Path):
    for part, values in (("images", ramp(kind=np.uint16)), ("masks", LABELS)):
        (tmp_path / part).mkdir()
        tifffile.imwrite(tmp_path / part / "a.tif", values, photometric="minisblack")
    sample = Folder(Path(), path=str(tmp_path)).read(Case("a", "a"))
    assert (sample.image[..., 0] == ramp()).all()
    assert (sample.mask == LABELS // 255).all()
    assert sample.spacing is None


def test_a_stack_that_breaks_off_after_its_first_page_is_no_picture(tmp_path: Path):
    for name in ("a", "b"):
        for part in ("images", "masks"):
            (tmp_path / part).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / part / f"{name}.tif", np.zeros((4, 20, 30), np.uint8), photometric="minisblack")
    broken = tmp_path / "images" / "a.tif"
    broken.write_bytes(broken.read_bytes()[:1500])
    folder = Folder(tmp_path, path=str(tmp_path))
    first, second = folder.cases()
    assert folder.read(second).mask.shape == (4, 20, 30)
    with pytest.raises(RequestError, match=r"a\.tif"):
        folder.read(first)


def test_pictures_among_volumes_are_refused_by_one_of_each(scans: Path, save):
    save(scans / "images/d.png", GREY)
    with pytest.raises(RequestError, match=r"images/d\.png' is a picture and '.*images/.*' a volume: keep them in two"):
        Folder(Path(), path=str(scans)).cases()


def test_names_that_differ_only_in_case_are_refused_by_name(own: Path, save):
    save(own / "masks/P0_0.png", EMPTY)
    with pytest.raises(RequestError, match=r"own' has names that differ only in case: 'P0_0' and 'p0_0'$"):
        Folder(Path(), path=str(own)).cases()


def test_a_folder_that_holds_no_series_is_no_image(scans: Path):
    (scans / "images/notes").mkdir()
    (scans / "images/notes/notes.txt").write_text("notes")
    assert len(Folder(Path(), path=str(scans)).cases()) == 3


def test_a_volume_in_two_formats_is_refused(scans: Path):
    save_nifti(scans / "images/b.nii", ramp())
    with pytest.raises(RequestError, match=r"image '.*images/b\.nii' and '.*images/b' have one name"):
        Folder(Path(), path=str(scans)).read(Case("b", "b"))


def test_a_volume_with_other_channels_is_named(scans: Path):
    save_nifti(scans / "images/a.1.nii.gz", ramp((*SHAPE, 2)))
    folder = Folder(Path(), path=str(scans))
    assert folder.read(Case("a.1", "")).image.shape == (*SHAPE, 2)
    with pytest.raises(RequestError, match=r"images/c\.mha' has 1 channels, and others have 2"):
        folder.read(Case("c", ""))


def test_damaged_volumes_and_masks_that_do_not_fit_are_named(scans: Path, save):
    cut(scans / "images/a.1.nii.gz")
    save(scans / "masks/b.png", EMPTY)
    (scans / "masks/b.nii").unlink()
    save_itk(scans / "masks/c.nrrd", LABELS[:, :3])
    for name, sentence in (
        ("a.1", r"cannot read '.*a\.1\.nii\.gz'"),
        ("b", r"masks/b\.png' is no volume"),
        ("c", r"mask '.*c\.nrrd' does not lie on image '.*c\.mha': they differ in size"),
    ):
        with pytest.raises(RequestError, match=sentence):
            Folder(Path(), path=str(scans)).read(Case(name, ""))


def test_a_missing_slice_of_a_series_is_refused(scans: Path):
    (scans / "images/b/7.dcm").unlink()
    with pytest.raises(RequestError, match=r"slices .* in '.*images/b'"):
        Folder(Path(), path=str(scans)).read(Case("b", ""))


def test_a_value_of_a_volume_that_is_not_declared_says_how_to_declare_it(scans: Path):
    save_itk(scans / "masks/c.nrrd", LABELS // 2)
    with pytest.raises(RequestError, match=r"not declared \(127\): declare each under a name, as in classes: \{backgr"):
        Folder(Path(), path=str(scans)).read(Case("c", ""))


def label_images(own: Path, save, values) -> Folder:
    for path in sorted((own / "masks").iterdir()):
        path.unlink()
        tifffile.imwrite(path.with_suffix(".tif"), values)
    return Folder(Path(), path=str(own), instances=True, classes={"background": 0, "cell": 1})


def test_label_images_tell_objects_apart(own: Path, save):
    values = np.zeros((20, 24), np.uint16)
    values[2:5, 2:5], values[8:12, 8:12] = 60_000, 7
    folder = label_images(own, save, values)
    sample = folder.read(folder.cases()[0])
    assert folder.classes == ("background", "cell")
    assert np.bincount(sample.instances.ravel()).tolist() == [480 - 25, 16, 9]
    assert np.array_equal(sample.mask, values > 0)
    check_dataset_plugin(Folder, Path(), path=str(own), instances=True)


def test_an_object_may_fill_its_image(own: Path, save):
    folder = label_images(own, save, np.full((20, 24), 9, np.uint8))
    assert (folder.read(folder.cases()[0]).instances == 1).all()


def test_label_images_below_zero_and_of_too_many_objects_are_named(own: Path, save):
    folder = label_images(own, save, np.full((20, 24), -3, np.int16))
    with pytest.raises(RequestError, match=r"label image '.*p0_0\.tif' has the value -3: 0 is the background"):
        folder.read(folder.cases()[0])
    many = np.arange(70_000, dtype=np.int32).reshape(250, 280) + 1
    with pytest.raises(RequestError, match=r"'labels\.tif' has 70,000 objects, and can have 65,535 at most"):
        numbered(many.astype(np.int64), Path("labels.tif"))


def test_instances_of_several_classes_are_refused():
    with pytest.raises(RequestError, match="with instances all objects are of one class, and classes names 2"):
        Folder(Path(), path="x", instances=True, classes={"background": 0, "a": 1, "b": 2})


def test_instances_of_volumes_are_refused(tmp_path: Path):
    for part in ("images", "masks"):
        save_nifti(tmp_path / part / "a.nii.gz", np.zeros(SHAPE, np.uint8))
    with pytest.raises(RequestError, match=r"a\.nii\.gz' is a volume: instances are read of pictures only"):
        Folder(Path(), path=str(tmp_path), instances=True).cases()


def test_masks_and_label_images_have_fingerprints_of_their_own(own: Path):
    assert Folder(Path(), path=str(own)).fingerprint() != Folder(Path(), path=str(own), instances=True).fingerprint()
