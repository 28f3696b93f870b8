from pathlib import Path

import pytest

from nestbench.datasets.open import open_dataset
from nestbench.study.data import DatasetSpec
from nestbench.testing import check_dataset


@pytest.mark.parametrize("name", ["synthetic", "nuclei", "folder"])
def test_every_built_in_keeps_the_contract(own: Path, bowl: Path, name: str):
    options = {"path": str(own)} if name == "folder" else {}
    check_dataset(open_dataset(DatasetSpec.model_validate({"name": name, **options}), bowl))
