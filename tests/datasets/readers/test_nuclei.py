import shutil
from pathlib import Path

import numpy as np
import pytest

from nestbench.datasets.readers.nuclei import Nuclei
from nestbench.errors import RequestError


def read(root: Path, name: str):
    nuclei = Nuclei(root)
    return nuclei.read(next(case for case in nuclei.cases() if case.id == name))


def test_each_image_is_a_subject(bowl: Path):
    assert [(case.id, case.subject) for case in Nuclei(bowl).cases()] == [(n, n) for n in ("aa", "bb", "cc", "dd")]


def test_the_mask_is_the_union_of_the_nuclei(bowl: Path):
    image, mask, instances, _ = read(bowl, "aa")
    assert image.shape == (20, 24, 3)
    assert (mask == (instances > 0)).all()
    assert [(instances == number).sum() for number in (1, 2)] == [24, 24]
    assert instances[2, 3] == 1
    assert instances[12, 3] == 2
    assert instances[2, 2] == instances[6, 3] == 0


@pytest.mark.parametrize("place", ["dsb2018", "nuclei", "mine"])
def test_it_is_found_in_each_of_its_places(bowl: Path, place: str):
    (bowl / place).mkdir()
    (bowl / "stage1_train").rename(bowl / place / "stage1_train")
    options = {"path": "mine/stage1_train"} if place == "mine" else {}
    assert len(Nuclei(bowl, **options).cases()) == 4


def test_a_missing_folder_says_where_it_was_looked_for_and_where_to_get_it(tmp_path: Path):
    with pytest.raises(
        RequestError, match=r"'.*/dsb2018/stage1_train' nor .* Kaggle's data-science-bowl-2018.*BBBC038"
    ):
        Nuclei(tmp_path).cases()
    with pytest.raises(RequestError, match="'not/here'"):
        Nuclei(tmp_path, path="not/here").fingerprint()


def test_an_empty_folder_is_refused(tmp_path: Path):
    (tmp_path / "stage1_train").mkdir()
    with pytest.raises(RequestError, match="stage1_train' is empty"):
        Nuclei(tmp_path).cases()


@pytest.mark.parametrize("folder_left", [True, False])
def test_an_image_without_masks_is_named(bowl: Path, folder_left: bool):
    masks = bowl / "stage1_train/bb/masks"
    shutil.rmtree(masks)
    if folder_left:
        masks.mkdir()
    with pytest.raises(RequestError, match=r"image '.*bb\.png' has no masks in '.*bb/masks'"):
        read(bowl, "bb")


def test_a_mask_of_another_size_is_named(bowl: Path, save):
    save(bowl / "stage1_train/bb/masks/12.png", np.zeros((24, 20), np.uint8))
    with pytest.raises(RequestError, match=r"mask '.*bb/masks/12\.png' is 20 x 24 pixels, its image 24 x 20 pixels"):
        read(bowl, "bb")


@pytest.mark.parametrize("name", ["images/bb.png", "masks/12.png"])
def test_an_unreadable_file_is_named(bowl: Path, name: str):
    (bowl / "stage1_train/bb" / name).write_bytes(b"nothing")
    with pytest.raises(RequestError, match=rf"cannot read '.*bb/{name}': it is damaged, or no image"):
        read(bowl, "bb")


def test_a_missing_image_is_named(bowl: Path):
    (bowl / "stage1_train/bb/images/bb.png").unlink()
    with pytest.raises(RequestError, match=r"cannot read '.*images/bb\.png': No such file"):
        read(bowl, "bb")


def test_the_fingerprint_changes_with_any_file(bowl: Path, save):
    before = Nuclei(bowl).fingerprint()
    assert Nuclei(bowl).fingerprint() == before
    save(bowl / "stage1_train/bb/masks/15.png", np.zeros((20, 24), np.uint8))
    assert Nuclei(bowl).fingerprint() != before
