from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nestbench.datasets.contract import Case
from nestbench.datasets.readers.lung_slices import LungSlices
from nestbench.errors import RequestError
from nestbench.testing import check_dataset

SIZE = (16, 18)
DEPTHS = {"LIDC-IDRI-0002/nodule-0": 1, "LIDC-IDRI-0002/nodule-2": 2, "LIDC-IDRI-0002/nodule-10": 2}
DEEP = "LIDC-IDRI-0001/nodule-0"


def votes(number: int) -> NDArray[np.uint8]:
    """Marks of the four readers (4, H, W): from row ``number`` on, four columns more by each."""
    marks = np.zeros((4, *SIZE), np.uint8)
    for reader in range(4):
        marks[reader, number:, : 4 * (reader + 1)] = 255
    return marks


@pytest.fixture
def nodules(tmp_path: Path, save) -> Path:
    """Four nodules of two patients; slice S of the deep one is of brightness S."""
    for nodule, depth in ({DEEP: 12} | DEPTHS).items():
        folder = tmp_path / "LIDC-IDRI-slices" / nodule
        for number in range(depth):
            save(folder / "images" / f"slice-{number}.png", np.full(SIZE, number, np.uint8))
            for reader, mask in enumerate(votes(number)):
                save(folder / f"mask-{reader}" / f"slice-{number}.png", mask)
    return tmp_path


@pytest.fixture
def deep(nodules: Path) -> Path:
    return nodules / "LIDC-IDRI-slices" / DEEP


def read(root: Path, case: str = DEEP, **options: object):
    return LungSlices(root, **options).read(Case(case, ""))


@pytest.mark.parametrize("cases", ["nodule", "slice"])
def test_it_keeps_the_promises_of_a_data_set(nodules: Path, cases: str):
    check_dataset(LungSlices(nodules, cases=cases), cases=4)


def test_a_case_is_a_nodule_and_its_subject_the_patient(nodules: Path):
    cases = LungSlices(nodules).cases()
    assert [case.id for case in cases] == [DEEP, *DEPTHS]
    assert [case.subject for case in cases] == ["LIDC-IDRI-0001"] + 3 * ["LIDC-IDRI-0002"]
    assert LungSlices(nodules).dims == 3


def test_slices_are_in_the_order_of_their_numbers(nodules: Path):
    sample = read(nodules)
    assert sample.image.shape == (12, *SIZE, 1)
    assert sample.mask.shape == (12, *SIZE)
    assert sample.image[:, 0, 0, 0].tolist() == list(range(12))
    assert sample.spacing is None


@pytest.mark.parametrize("agree", [1, 2, 3, 4])
def test_a_pixel_counts_where_enough_readers_marked_it(nodules: Path, agree: int):
    mask = read(nodules, agree=agree).mask
    for number in range(12):
        assert (mask[number] == ((votes(number) > 0).sum(axis=0) >= agree)).all()
        # The reader of column 16 marked all columns, and each of the others four fewer.
        assert mask[number].sum() == (SIZE[0] - number) * (16 - 4 * (agree - 1))


def test_two_of_four_agree_where_nothing_is_said(nodules: Path):
    assert (read(nodules).mask == read(nodules, agree=2).mask).all()


def test_as_slices_each_is_a_picture(nodules: Path):
    slices = LungSlices(nodules, cases="slice")
    cases = slices.cases()
    assert slices.dims == 2
    assert [case.id for case in cases if case.subject == "LIDC-IDRI-0001"] == [f"{DEEP}/slice-{n}" for n in range(12)]
    assert len(cases) == 12 + sum(DEPTHS.values())
    whole = read(nodules)
    for number in range(12):
        one = slices.read(cases[number])
        assert (one.image == whole.image[number]).all()
        assert (one.mask == whole.mask[number]).all()


@pytest.mark.parametrize("place", ["lung-slices", "lung-nodule", "lidc_idri_slices", "mine"])
def test_it_is_found_in_each_of_its_places(nodules: Path, place: str):
    (nodules / place).mkdir()
    (nodules / "LIDC-IDRI-slices").rename(nodules / place / "LIDC-IDRI-slices")
    options = {"path": "mine/LIDC-IDRI-slices"} if place == "mine" else {}
    assert len(LungSlices(nodules, **options).cases()) == 4


def test_a_missing_folder_says_where_it_was_looked_for_and_where_to_get_it(tmp_path: Path):
    with pytest.raises(RequestError, match=r"'.*/lung-slices/LIDC-IDRI-slices' nor .*kaggle\.com.*lidcidri"):
        LungSlices(tmp_path).cases()


def test_a_folder_without_nodules_is_refused(tmp_path: Path):
    (tmp_path / "LIDC-IDRI-slices" / "LIDC-IDRI-0001" / "notes").mkdir(parents=True)
    with pytest.raises(RequestError, match=r"LIDC-IDRI-slices' is empty: it should hold LIDC-IDRI-NNNN/nodule-K"):
        LungSlices(tmp_path).cases()


def test_a_nodule_without_a_slice_between_two_others_is_no_volume(nodules: Path, deep: Path):
    for folder in deep.iterdir():
        (folder / "slice-9.png").unlink()
    with pytest.raises(RequestError, match=rf"'.*{DEEP}' is not whole: slice-8 is followed by slice-10"):
        read(nodules)
    assert read(nodules, f"{DEEP}/slice-10", cases="slice").image[0, 0, 0] == 10


def test_a_nodule_without_any_slice_is_named(nodules: Path, deep: Path):
    for path in deep.rglob("*.png"):
        path.unlink()
    with pytest.raises(RequestError, match=rf"nodule '.*{DEEP}' has no slice"):
        read(nodules)


@pytest.mark.parametrize("folder", ["images", "mask-0", "mask-3"])
@pytest.mark.parametrize("whole_folder", [True, False])
def test_a_missing_image_or_mask_is_named(nodules: Path, deep: Path, folder: str, whole_folder: bool):
    for path in (deep / folder).glob("*.png" if whole_folder else "slice-11.png"):
        path.unlink()
    if whole_folder:
        (deep / folder).rmdir()
    with pytest.raises(RequestError, match=rf"cannot read '.*{folder}/slice-[0-9]+\.png': No such file"):
        read(nodules)
    slices = LungSlices(nodules, cases="slice")
    assert f"{DEEP}/slice-11" in [case.id for case in slices.cases()]
    with pytest.raises(RequestError, match=rf"cannot read '.*{folder}/slice-11\.png': No such file"):
        read(nodules, f"{DEEP}/slice-11", cases="slice")


def test_a_mask_of_another_size_is_named(nodules: Path, deep: Path, save):
    save(deep / "mask-2/slice-4.png", np.zeros((18, 16), np.uint8))
    with pytest.raises(RequestError, match=r"mask '.*mask-2/slice-4\.png' is 16 x 18 pixels, its slice 18 x 16 pixels"):
        read(nodules)


def test_slices_of_another_size_are_named(nodules: Path, deep: Path, save):
    for folder in deep.iterdir():
        save(folder / "slice-4.png", np.zeros((18, 16), np.uint8))
    with pytest.raises(RequestError, match=rf"'.*{DEEP}' differ in size: slice-4 is not 18 x 16 pixels as slice-0 is"):
        read(nodules)


@pytest.mark.parametrize("value", [1, 128, 254])
def test_a_mask_with_another_value_is_refused(nodules: Path, deep: Path, save, value: int):
    save(deep / "mask-1/slice-3.png", np.full(SIZE, value, np.uint8))
    with pytest.raises(
        RequestError, match=rf"mask-1/slice-3\.png' .* not declared \({value}\): its classes are 0, 255$"
    ):
        read(nodules)


def test_a_slice_in_colour_is_refused(nodules: Path, deep: Path, save):
    save(deep / "images/slice-3.png", np.zeros((*SIZE, 3), np.uint8))
    with pytest.raises(RequestError, match=r"images/slice-3\.png' is in colour"):
        read(nodules)


def test_a_volume_that_would_be_too_large_is_refused(nodules: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("nestbench.formats.pictures.MOST_PIXELS", 12 * 16 * 18 - 1)
    with pytest.raises(RequestError, match=rf"'.*{DEEP}': it has more than 3,455 pixels"):
        read(nodules)


@pytest.mark.parametrize("name", ["images/slice-2.png", "mask-3/slice-2.png"])
def test_an_unreadable_file_is_named(nodules: Path, deep: Path, name: str):
    (deep / name).write_bytes((deep / name).read_bytes()[:40])
    with pytest.raises(RequestError, match=rf"cannot read '.*{name}'"):
        read(nodules)


def test_other_files_and_folders_are_passed_over(nodules: Path, deep: Path):
    before = LungSlices(nodules, cases="slice").cases()
    (deep / "images" / "thumbnail.png").touch()
    (deep / "images" / ".slice-99.png").touch()
    (deep.parent / "notes").mkdir()
    assert LungSlices(nodules, cases="slice").cases() == before


@pytest.mark.parametrize("options", [{"agree": 0}, {"agree": 5}, {"cases": "scan"}, {"agre": 2}])
def test_a_wrong_option_is_one_sentence(tmp_path: Path, options: dict[str, object]):
    with pytest.raises(RequestError, match=rf"^data set 'lung-slices': .*{next(iter(options))}"):
        LungSlices(tmp_path, **options)


def test_the_fingerprint_changes_with_files_and_options(nodules: Path, deep: Path):
    before = LungSlices(nodules).fingerprint()
    assert LungSlices(nodules).fingerprint() == before
    assert LungSlices(nodules, agree=3).fingerprint() != before
    assert LungSlices(nodules, cases="slice").fingerprint() != before
    (deep / "mask-0/slice-0.png").unlink()
    assert LungSlices(nodules).fingerprint() != before
