"""Where data lies, and from a study's words to a data set."""

import os
from pathlib import Path

from nestbench.datasets.contract import Dataset
from nestbench.plugins import find_plain
from nestbench.study.schema import DatasetSpec


def data_root(option: Path | None = None) -> Path:
    """Folder that data sets are looked for in: the option, else $NESTBENCH_DATA, else ~/.cache/nestbench."""
    return option or _from_environment("NESTBENCH_DATA") or _home()


def cache_root() -> Path:
    """Folder that prepared arrays are kept in: $NESTBENCH_CACHE, else ~/.cache/nestbench/prepared."""
    return _from_environment("NESTBENCH_CACHE") or _home() / "prepared"


def open_dataset(spec: DatasetSpec, root: Path) -> Dataset:
    """Find the plugin that the study names and give it its options; no image is read.

    Raises RequestError for an unknown name or option, with the nearest one.
    """
    dataset: Dataset = find_plain("dataset", spec.name)(root, **spec.options)
    return dataset


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value).expanduser() if value else None


def _home() -> Path:
    return Path.home() / ".cache" / "nestbench"
