from pathlib import Path

import numpy as np
import pytest

from nestbench.datasets.readers.cell import Cell
from nestbench.errors import RequestError
from nestbench.testing import check_dataset

SIZES = {"001": (20, 24), "002": (24, 24), "003": (18, 20), "010": (16, 16), "021": (16, 17)}
RNG = np.random.default_rng(0)
IMAGES = {name: RNG.integers(0, 256, (*size, 3), np.uint8) for name, size in SIZES.items()}
MASKS = {name: RNG.choice(np.array([0, 128, 255], np.uint8), size) for name, size in SIZES.items()}


@pytest.fixture
def smears(tmp_path: Path, save) -> Path:
    for name in SIZES:
        save(tmp_path / "Dataset 1" / f"{name}.bmp", IMAGES[name])
        save(tmp_path / "Dataset 1" / f"{name}.png", MASKS[name])
    return tmp_path


def read(root: Path, name: str, **options: str):
    cell = Cell(root, **options)
    return cell.read(next(case for case in cell.cases() if case.id == name))


@pytest.mark.parametrize("target", ["parts", "whole"])
def test_it_keeps_the_promises_of_a_data_set(smears: Path, target: str):
    check_dataset(Cell(smears, target=target), cases=5)


def test_images_of_different_sizes_are_read_as_they_are(smears: Path):
    assert [(case.id, case.subject) for case in Cell(smears).cases()] == [(name, name) for name in SIZES]
    for name in SIZES:
        assert (read(smears, name).image == IMAGES[name]).all()


def test_the_values_0_128_and_255_are_background_cytoplasm_and_nucleus(smears: Path):
    assert Cell(smears).classes == ("background", "cytoplasm", "nucleus")
    mask = read(smears, "002").mask
    assert [(mask == k).sum() for k in range(3)] == [(MASKS["002"] == value).sum() for value in (0, 128, 255)]
    assert (MASKS["002"][mask == 1] == 128).all()


def test_the_whole_cell_is_cytoplasm_and_nucleus(smears: Path):
    assert Cell(smears, target="whole").classes == ("background", "cell")
    assert (read(smears, "001", target="whole").mask == (MASKS["001"] >= 64)).all()


@pytest.mark.parametrize("place", ["cell", "cell_wbc", "segmentation_WBC-master", "mine"])
def test_it_is_found_in_each_of_its_places(smears: Path, place: str):
    (smears / place).mkdir()
    (smears / "Dataset 1").rename(smears / place / "Dataset 1")
    options = {"path": "mine/Dataset 1"} if place == "mine" else {}
    assert len(Cell(smears, **options).cases()) == 5


def test_a_missing_folder_says_where_it_was_looked_for_and_where_to_get_it(tmp_path: Path):
    with pytest.raises(RequestError, match=r"'.*/cell_wbc/Dataset 1' nor .*zxaoyou/segmentation_WBC"):
        Cell(tmp_path).cases()


def test_an_empty_folder_is_refused(tmp_path: Path):
    (tmp_path / "Dataset 1").mkdir()
    with pytest.raises(RequestError, match="Dataset 1' is empty"):
        Cell(tmp_path).cases()


@pytest.mark.parametrize(("removed", "kind"), [("002.bmp", "image"), ("002.png", "mask")])
def test_a_name_without_its_pair_is_named_and_the_others_are_read(smears: Path, removed: str, kind: str):
    (smears / "Dataset 1" / removed).unlink()
    assert len(Cell(smears).cases()) == 5
    with pytest.raises(RequestError, match=rf"'002' in '.*Dataset 1' has no {kind} '{removed}'"):
        read(smears, "002")
    assert read(smears, "003").mask.shape == SIZES["003"]


def test_a_mask_of_another_size_is_named(smears: Path, save):
    save(smears / "Dataset 1/001.png", MASKS["001"].T)
    with pytest.raises(RequestError, match=r"mask '.*001\.png' is 20 x 24 pixels, its image 24 x 20 pixels"):
        read(smears, "001")


@pytest.mark.parametrize("value", [1, 127, 254])
def test_another_value_is_refused(smears: Path, save, value: int):
    save(smears / "Dataset 1/001.png", np.where(np.eye(20, 24) > 0, value, 128).astype(np.uint8))
    with pytest.raises(
        RequestError, match=rf"mask '.*001\.png' .* not declared \({value}\): its classes are 0, 128, 255$"
    ):
        read(smears, "001")


@pytest.mark.parametrize("name", ["001.bmp", "001.png"])
def test_an_unreadable_file_is_named(smears: Path, name: str):
    path = smears / "Dataset 1" / name
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(RequestError, match=rf"cannot read '.*{name}'"):
        read(smears, "001")


def test_a_suffix_in_capitals_is_the_same_suffix(smears: Path):
    (smears / "Dataset 1/001.bmp").rename(smears / "Dataset 1/001.BMP")
    assert (read(smears, "001").image == IMAGES["001"]).all()


@pytest.mark.parametrize(
    ("first", "second", "twin"),
    [
        ("a1.bmp", "A1.png", "a1"),
        ("a1.bmp", "A1.bmp", "a1"),
        ("001.BMP", "001.png", "001.BMP"),
        ("001.PNG", "001.bmp", "001.PNG"),
    ],
)
def test_names_that_differ_only_in_case_are_refused(smears: Path, first: str, second: str, twin: str):
    for name in (first, second):
        (smears / "Dataset 1" / name).touch()
    with pytest.raises(RequestError, match=rf"names that differ only in case: .*'{twin}'"):
        Cell(smears).cases()


def test_a_wrong_option_is_one_sentence(tmp_path: Path):
    with pytest.raises(RequestError, match=r"^data set 'cell': target is 'nucleus', but input should be 'parts' or"):
        Cell(tmp_path, target="nucleus")


def test_the_fingerprint_changes_with_files_and_target(smears: Path, save):
    before = Cell(smears).fingerprint()
    assert Cell(smears).fingerprint() == before
    assert Cell(smears, target="whole").fingerprint() != before
    save(smears / "Dataset 1/001.png", np.zeros((20, 24), np.uint8))
    assert Cell(smears).fingerprint() != before


def test_the_split_is_that_of_the_papers():
    assert [share * 354 for share in Cell.shares] == pytest.approx([212, 70, 72], abs=1.5)
