from pathlib import Path

import pytest

from nestbench.datasets.open import cache_root, data_root, open_dataset
from nestbench.datasets.readers.synthetic import Synthetic
from nestbench.errors import RequestError
from nestbench.study.data import DatasetSpec


def test_the_data_root_is_the_option_before_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("NESTBENCH_DATA", str(tmp_path / "environment"))
    assert data_root(tmp_path / "option") == tmp_path / "option"
    assert data_root(None) == tmp_path / "environment"


def test_without_option_and_environment_all_lies_below_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NESTBENCH_DATA", raising=False)
    monkeypatch.setenv("NESTBENCH_CACHE", "")
    assert data_root() == tmp_path / ".cache/nestbench"
    assert cache_root() == tmp_path / ".cache/nestbench/prepared"


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("NESTBENCH_CACHE", str(tmp_path))
    assert cache_root() == tmp_path


def test_a_study_opens_a_data_set_with_its_options(tmp_path: Path):
    dataset = open_dataset(DatasetSpec.model_validate({"name": "synthetic", "cases": 24}), tmp_path)
    assert isinstance(dataset, Synthetic)
    assert len(dataset.cases()) == 24


def test_an_unknown_data_set_answers_with_the_nearest(tmp_path: Path):
    with pytest.raises(RequestError, match="unknown dataset 'nuclie'; did you mean 'nuclei'"):
        open_dataset(DatasetSpec(name="nuclie"), tmp_path)


def test_a_variant_is_refused(tmp_path: Path):
    with pytest.raises(RequestError, match="dataset 'nuclei:small' has no variants: write 'nuclei'"):
        open_dataset(DatasetSpec(name="nuclei:small"), tmp_path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "synthetic", "casses": 24}, "unknown key 'casses'; did you mean 'cases'"),
        ({"name": "synthetic", "cases": 2}, "cases is 2, but"),
        ({"name": "nuclei", "pth": "x"}, "unknown key 'pth'; did you mean 'path'"),
        ({"name": "nuclei", "root": "x"}, "unknown key 'root'"),
        ({"name": "folder"}, "the key 'path' is missing"),
    ],
)
def test_a_wrong_option_is_one_sentence(tmp_path: Path, options: dict[str, object], sentence: str):
    with pytest.raises(RequestError, match=f"^data set '{options['name']}': {sentence}"):
        open_dataset(DatasetSpec.model_validate(options), tmp_path)
