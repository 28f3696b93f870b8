from pathlib import Path

import pytest

from nestbench.datasets.readers.places import place_of, places
from nestbench.errors import RequestError


def test_a_path_is_looked_for_as_it_is_and_below_the_root():
    assert places(Path("root"), "mine", ("set",)) == [Path("mine"), Path("root/mine")]
    assert places(Path("root"), "~/mine") == [Path.home() / "mine"]


def test_without_a_path_the_places_are_below_the_root_each_once():
    assert places(Path("root"), "", ("", "set", "set/")) == [Path("root"), Path("root/set")]


def test_the_first_place_that_is_the_one_sought_is_taken(tmp_path: Path):
    for name in ("b", "c"):
        (tmp_path / name).mkdir()
    assert place_of("toy", places(tmp_path, "", ("a", "b", "c")), Path.is_dir, "is a folder") == tmp_path / "b"


def test_where_there_is_none_all_of_them_are_named(tmp_path: Path):
    sentence = f"^data set 'toy' is not there: neither '{tmp_path}/a' nor '{tmp_path}/b' is a folder; get it$"
    with pytest.raises(RequestError, match=sentence):
        place_of("toy", places(tmp_path, "", ("a", "b")), Path.is_dir, "is a folder; get it")
