import os
from pathlib import Path

import pytest

from nestbench.errors import RequestError
from nestbench.formats.listing import files, folders, refuse_alike, stamps


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("b.PNG", "a.png", ".a.png", "notes.txt", "inner/c.png", ".hidden/d.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"12345")
        os.utime(path, ns=(7, 7))
    return tmp_path


def test_only_what_lies_openly_in_the_folder_is_listed(place: Path):
    assert [path.name for path in files(place, (".png",))] == ["a.png", "b.PNG"]
    assert folders(place) == ["inner"]


def test_stamps_are_of_every_file_at_any_depth(place: Path):
    names = ["a.png", "b.PNG", "inner/c.png", "notes.txt"]
    assert stamps(place) == [(name, 5, 7) for name in names]


def test_names_that_differ_only_in_case_are_refused_together(tmp_path: Path):
    refuse_alike(tmp_path, ["a", "b", "a", "ab"])
    with pytest.raises(
        RequestError, match=r"' has names that differ only in case: 'A' and 'a'; 'Straße' and 'strasse'$"
    ):
        refuse_alike(tmp_path, ["b", "strasse", "a", "Straße", "A"])


@pytest.mark.parametrize("look", [folders, stamps, lambda folder: files(folder, ())])
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, look):
    with pytest.raises(RequestError, match=r"cannot read '.*/gone': No such file or directory"):
        look(tmp_path / "gone")
