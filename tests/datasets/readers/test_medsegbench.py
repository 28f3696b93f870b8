import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nestbench.datasets.readers.medsegbench import SETS, SIDES, MedSegBench
from nestbench.errors import RequestError
from nestbench.testing import check_dataset

COUNTS = {"train": 3, "val": 2, "test": 2}


def arrays(colour: bool = False, classes: int = 2, category: str = "") -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)
    found = {}
    for side, count in COUNTS.items():
        shape = (count, 16, 16, 3) if colour else (count, 16, 16)
        found[f"{side}_images{category}"] = rng.integers(0, 256, shape, np.uint8)
        found[f"{side}_label{category}"] = rng.integers(0, classes, (count, 16, 16), np.uint8)
    return found


def saved(folder: Path, name: str = "busi_128.npz", **held: NDArray[Any]) -> Path:
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / name, **held)
    return folder


def own(folder: Path, **held: NDArray[Any]) -> MedSegBench:
    saved(folder, "own.npz", **held)
    return MedSegBench(folder, path="own.npz")


def read_all(dataset: MedSegBench):
    return [dataset.read(case) for case in dataset.cases()]


@pytest.mark.parametrize("colour", [False, True])
def test_it_keeps_the_promises_of_a_data_set(tmp_path: Path, colour: bool):
    dataset = MedSegBench(saved(tmp_path, **arrays(colour)), set="busi")
    check_dataset(dataset, cases=7)
    assert dataset.channels == (3 if colour else 1)


def test_cases_are_numbered_by_side_and_the_sides_are_official(tmp_path: Path):
    held = arrays()
    dataset = MedSegBench(saved(tmp_path, **held), set="busi")
    assert [case.id for case in dataset.cases()[1:4]] == ["train-00001", "train-00002", "val-00000"]
    assert [case.side for case in dataset.cases()] == ["train"] * 3 + ["validation"] * 2 + ["test"] * 2
    assert len({case.subject for case in dataset.cases()}) == 7
    for case, sample in zip(dataset.cases(), read_all(dataset), strict=True):
        side, number = case.id.split("-")
        assert (sample.image[..., 0] == held[f"{side}_images"][int(number)]).all()
        assert (sample.mask == held[f"{side}_label"][int(number)]).all()


def test_a_side_may_be_missing(tmp_path: Path):
    held = {name: values for name, values in arrays().items() if not name.startswith("val")}
    assert [case.side for case in own(tmp_path, **held).cases()] == ["train"] * 3 + ["test"] * 2


@pytest.mark.parametrize("place", [".", "medsegbench"])
def test_a_set_is_found_by_its_name_and_size(tmp_path: Path, place: str):
    saved(tmp_path / place, "busi_256.npz", **arrays())
    assert len(MedSegBench(tmp_path, set="busi", pixels=256).cases()) == 7
    with pytest.raises(RequestError, match=r"neither '.*/medsegbench/busi_512\.npz' is a file; it is at .*zenodo"):
        MedSegBench(tmp_path, set="busi", pixels=512).cases()


def test_a_missing_file_of_ones_own_is_named(tmp_path: Path):
    with pytest.raises(RequestError, match=r"neither 'mine\.npz' nor '.*/mine\.npz' is a file$"):
        MedSegBench(tmp_path, path="mine.npz").fingerprint()


def test_classes_are_those_of_the_set_unless_the_study_names_them(tmp_path: Path):
    assert MedSegBench(tmp_path, set="fhpsaop").classes == ("background", "pubic symphysis", "fetal head")
    assert MedSegBench(tmp_path, path="own.npz").classes == ("background", "foreground")
    assert MedSegBench(tmp_path, set="busi", classes=["background", "tumour"]).classes == ("background", "tumour")


@pytest.mark.parametrize("value", [2, 255])
def test_a_label_that_is_no_class_is_refused(tmp_path: Path, value: int):
    held = arrays()
    held["val_label"][1, 2, 3] = value
    dataset = own(tmp_path, **held)
    with pytest.raises(
        RequestError, match=rf"own\.npz' has the label {value} in val-00001, and there are 2 classes: back"
    ):
        read_all(dataset)


def test_a_label_below_0_is_refused(tmp_path: Path):
    held = arrays() | {"test_label": np.full((2, 16, 16), -1, np.int16)}
    with pytest.raises(RequestError, match="has the label -1 in test-00000"):
        read_all(own(tmp_path, **held))


def test_where_a_set_numbers_its_objects_any_value_but_0_is_foreground(tmp_path: Path):
    held = arrays(classes=200)
    dataset = MedSegBench(saved(tmp_path, "dynamicnuclear_128.npz", **held), set="dynamicnuclear")
    assert (read_all(dataset)[0].mask == (held["train_label"][0] > 0)).all()


def test_a_category_is_a_part_of_the_set(tmp_path: Path):
    whole, part = arrays(), {name: values + 1 for name, values in arrays(category="_C1").items()}
    saved(tmp_path, **whole, **part)
    image = MedSegBench(tmp_path, set="busi", category="C1", classes=["background", "one", "two"])
    assert (read_all(image)[0].image[..., 0] == part["train_images_C1"][0]).all()
    assert (read_all(image)[0].mask == part["train_label_C1"][0]).all()


def test_categories_may_share_their_images(tmp_path: Path):
    held = arrays(category="_C2")
    shared = {name.replace("images_C2", "images"): values for name, values in held.items()}
    dataset = MedSegBench(saved(tmp_path, "idrib_128.npz", **shared), set="idrib", category="C2")
    assert (read_all(dataset)[6].image[..., 0] == held["test_images_C2"][1]).all()
    with pytest.raises(RequestError, match=r"has no train_label; it has train_images, train_label_C2, val_images"):
        MedSegBench(tmp_path, set="idrib").cases()


@pytest.mark.parametrize("lost", ["test_images", "test_label"])
def test_images_without_labels_are_named_and_the_reverse(tmp_path: Path, lost: str):
    held = arrays()
    del held[lost]
    with pytest.raises(RequestError, match=rf"own\.npz' has no {lost}; it has train_images"):
        own(tmp_path, **held).cases()


def test_a_file_of_other_arrays_is_refused(tmp_path: Path):
    with pytest.raises(RequestError, match=r"own\.npz' holds no train_images, train_label and .* but x, y$"):
        own(tmp_path, x=np.zeros(3), y=np.zeros(3)).cases()
    with pytest.raises(RequestError, match="but no array at all"):
        own(tmp_path).cases()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"val_label": np.zeros((3, 16, 16), np.uint8)}, r"do not match: .* \(2, 16, 16\) and \(3, 16, 16\)"),
        ({"val_label": np.zeros((2, 16, 8), np.uint8)}, r"do not match: .* \(2, 16, 16\) and \(2, 16, 8\)"),
        ({"val_images": np.zeros((2, 16, 16, 4), np.uint8)}, r"do not match: .* \(2, 16, 16, 4\)"),
        ({"val_images": np.zeros((2, 16), np.uint8)}, r"do not match: .* \(2, 16\)"),
        (
            {f"val_{kind}": np.zeros((2, 0, 16), np.uint8) for kind in ("images", "label")},
            r"hold no pixel: .* \(2, 0, 16",
        ),
        (
            {f"val_{kind}": np.zeros((0, 16, 16), np.uint8) for kind in ("images", "label")},
            r"hold no pixel: .* \(0, 16",
        ),
        ({"val_label": np.zeros((2, 16, 16), np.float32)}, "types are uint8 and float32"),
        ({"val_images": np.full((2, 16, 16), "a")}, "types are <U1 and uint8"),
    ],
)
def test_images_and_labels_that_do_not_match_are_named(tmp_path: Path, change: dict[str, Any], sentence: str):
    with pytest.raises(RequestError, match=rf"val_images and val_label of '.*own\.npz' (are no .* )?{sentence}"):
        own(tmp_path, **(arrays() | change)).cases()


def test_grey_and_colour_in_one_file_are_refused(tmp_path: Path):
    held = arrays() | {"val_images": arrays(colour=True)["val_images"]}
    with pytest.raises(RequestError, match=r"own\.npz' holds grey images and images in colour"):
        own(tmp_path, **held).cases()


def test_python_objects_are_never_unpickled(tmp_path: Path):
    with pytest.raises(RequestError, match="holds Python objects"):
        own(tmp_path, **(arrays() | {"val_images": np.array([print, print], dtype=object)})).cases()


def test_a_file_that_is_no_zip_is_named(tmp_path: Path):
    (tmp_path / "own.npz").write_bytes(b"<html>not found</html>")
    with pytest.raises(RequestError, match=r"^cannot read '.*own\.npz': File is not a zip file"):
        MedSegBench(tmp_path, path="own.npz").cases()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "name a set, as in set: busi, or give a file's path"),
        ({"set": "bussi"}, "unknown set of MedSegBench 'bussi'; did you mean 'busi'"),
        ({"set": "busi", "pixels": 96}, "pixels is 96, but"),
        (
            {"set": "busi", "classes": ["background"]},
            "classes: 1 in the list, and there can be 2 to 256, background first$",
        ),
        ({"set": "busi", "classes": []}, "classes: 0 in the list, and there can be 2 to 256"),
        ({"sett": "busi"}, "unknown key 'sett'; did you mean 'set'"),
    ],
)
def test_a_wrong_option_is_one_sentence(tmp_path: Path, options: dict[str, Any], sentence: str):
    with pytest.raises(RequestError, match=f"^data set 'medsegbench': {sentence}"):
        MedSegBench(tmp_path, **options)


def test_the_fingerprint_changes_with_the_file_the_category_and_the_classes(tmp_path: Path):
    saved(tmp_path, **arrays())
    before = MedSegBench(tmp_path, set="busi").fingerprint()
    assert MedSegBench(tmp_path, set="busi").fingerprint() == before
    assert MedSegBench(tmp_path, set="busi", category="C1").fingerprint() != before
    assert MedSegBench(tmp_path, set="busi", classes=["background", "one", "two"]).fingerprint() != before
    assert MedSegBench(tmp_path, set="busi", classes=["background", "other"]).fingerprint() != before
    saved(tmp_path, **arrays(colour=True))
    assert MedSegBench(tmp_path, set="busi").fingerprint() != before


def test_all_sets_are_known_with_the_checksums_of_their_files(tmp_path: Path):
    sums = [md5 for facts in SETS.values() for md5 in facts.md5.values()]
    assert len(SETS) == 35
    assert len(set(sums)) == len(sums) == 105
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for md5 in sums)
    assert all(2 <= len(facts.classes) == len(set(facts.classes)) for facts in SETS.values())


def test_a_set_says_where_its_file_is_fetched_from(tmp_path: Path):
    about = MedSegBench(tmp_path, set="wbc", pixels=512).about
    assert about.downloads[0].url == "https://zenodo.org/records/13359660/files/wbc_512.npz"
    assert about.downloads[0].md5 == SETS["wbc"].md5["512"]
    assert about.licence == "CC BY 4.0"
    assert MedSegBench(tmp_path, path="a/own.npz").about.title == "own.npz"


def test_every_side_of_the_contract_has_a_name_in_the_file():
    assert set(SIDES.values()) == {"train", "validation", "test"}
