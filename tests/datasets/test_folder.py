from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nestbench.datasets.contract import Case
from nestbench.datasets.folder import Folder
from nestbench.errors import RequestError

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
    sentence = (
        r"mask '.*p0_0\.png' has values that are not declared \(7, 128\): .*\{background: 0, foreground: 255, NAME: 7\}"
    )
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
