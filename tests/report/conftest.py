from collections.abc import Callable
from pathlib import Path

import pytest
from fake_numbers import GAIN, Fake
from fake_objects import write_fake_objects
from fake_results import write_fake

from nestbench.report.chapters import Tables, make_tables
from nestbench.report.gather import Evidence, gather


@pytest.fixture
def make_evidence(tmp_path: Path) -> Callable[..., Evidence]:
    """Writes fake results with the given changes and gathers them."""
    return lambda **changes: gather(write_fake(tmp_path, Fake(**{"cases": 12, **changes})))


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a whole study that no test changes."""
    return write_fake(tmp_path_factory.mktemp("results"), Fake(cases=24))


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """A study of every member on two encoders, with long names, a search and a failed run."""
    encoders = ("timm:resnet18", "timm:convnextv2_huge.fcmae_ft_in22k_in1k_512.of_a_very_long_name_indeed.v2")
    path = "a_name_without_an_end_" * 9
    fake = Fake(tuple(GAIN), seeds=2, cases=12, encoders=encoders, failed=("unet++/seed-1",), search=True, path=path)
    return gather(write_fake(tmp_path_factory.mktemp("wide"), fake))


@pytest.fixture(scope="session")
def evidence(results: Path) -> Evidence:
    return gather(results)


@pytest.fixture(scope="session")
def numbers(evidence: Evidence) -> Tables:
    """Every table of the whole study."""
    return make_tables(evidence)


@pytest.fixture(scope="session")
def wide_numbers(wide: Evidence) -> Tables:
    """Every table of the wide study."""
    return make_tables(wide)


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a study whose objects are told apart, that no test changes."""
    return write_fake_objects(tmp_path_factory.mktemp("objects"))
