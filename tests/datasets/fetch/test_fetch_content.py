import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from nestbench.datasets.fetch.content import content_of


@pytest.fixture
def folder(tmp_path):
    for name, text in {"b": "two", "a/c": "three", "a/d": "", "a.txt": "one"}.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "data"


def test_the_sum_is_over_names_sizes_and_contents_in_the_order_of_names(folder):
    text = b"a.txt\x003\x00onea/c\x005\x00threea/d\x000\x00b\x003\x00two"
    assert content_of(folder) == sha256(text).hexdigest()


def test_a_copy_has_the_same_sum_whatever_its_name_and_age(folder):
    copy = shutil.copytree(folder, folder.with_name("copy"), copy_function=shutil.copyfile)
    assert content_of(copy) == content_of(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "b").write_text("tow"),
        lambda folder: (folder / "b").rename(folder / "e"),
        lambda folder: (folder / "e").write_text(""),
        lambda folder: (folder / "a" / "d").unlink(),
        lambda folder: ((folder / "b").write_text("t"), (folder / "a.txt").write_text("onewo")),
    ],
)
def test_any_change_is_another_sum(folder, change):
    before = content_of(folder)
    change(folder)
    assert content_of(folder) != before


def test_what_a_system_leaves_behind_does_not_count(folder):
    before = content_of(folder)
    (folder / ".DS_Store").write_text("seen")
    (folder / "empty").mkdir()
    assert content_of(folder) == before


def test_a_file_has_a_sum_as_a_folder_of_it_has(tmp_path):
    (tmp_path / "one").mkdir()
    path = tmp_path / "one" / "a.npz"
    path.write_bytes(b"numbers")
    assert content_of(path) == content_of(Path(tmp_path / "one"))
