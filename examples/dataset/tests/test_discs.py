"""What nestbench asks of every data set, and what this one adds."""

from pathlib import Path

import pytest
from discs import SIDE, Discs

from nestbench.datasets.contract import Case
from nestbench.datasets.open import open_dataset
from nestbench.errors import RequestError
from nestbench.study.data import DatasetSpec
from nestbench.testing import check_dataset_plugin

DATA = Path(__file__).parents[1] / "data"


def written(folder: Path, text: str) -> Discs:
    (folder / "discs").mkdir()
    (folder / "discs" / "slide_a.csv").write_text(text)
    return Discs(folder)


def test_the_data_set_keeps_the_contract():
    check_dataset_plugin(Discs, DATA, noise=5)


def test_a_study_finds_it_by_its_name():
    assert isinstance(open_dataset(DatasetSpec(name="discs"), DATA), Discs)


def test_fields_of_one_slide_are_of_one_subject():
    cases = Discs(DATA).cases()
    assert len(cases) == 2 * len({case.subject for case in cases}) == 16


def test_discs_are_where_the_file_says(tmp_path: Path):
    sample = written(tmp_path, "y,x,radius\n10,20,4\n60,60,6\n").read(Case("slide_a", "slide"))
    assert sample.instances is not None
    assert (sample.instances[5, 10], sample.instances[30, 30], sample.instances[20, 20]) == (1, 2, 0)
    assert sample.mask.shape == (SIDE, SIDE)


@pytest.mark.parametrize("text", ["y,x\n1,2\n", "y,x,radius\n1,2\n", "y,x,radius\n1,2,wide\n"])
def test_a_file_that_is_not_right_is_named(tmp_path: Path, text: str):
    with pytest.raises(RequestError, match=r"slide_a.csv': each line should hold y, x and radius"):
        written(tmp_path, text).read(Case("slide_a", "slide"))


def test_an_empty_folder_is_named(tmp_path: Path):
    (tmp_path / "discs").mkdir()
    with pytest.raises(RequestError, match="discs' is empty"):
        Discs(tmp_path).cases()
