"""Where data lies, and from a study's words to a data set."""

import os
from pathlib import Path
from typing import Literal

from nestbench.datasets.contract import Dataset
from nestbench.errors import RequestError
from nestbench.plugins import find_plain
from nestbench.study.data import DatasetSpec


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


def seen_dims(spec: DatasetSpec, dims: int) -> Literal[2, 3]:
    """Dimensions in which a network sees a data set of pictures (2) or volumes (3).

    Raises RequestError for pictures in 3D, and for volumes whose study does not say how they are seen.
    """
    if spec.dims == 3 and dims == 2:
        raise RequestError(f"data set '{spec.title}' holds pictures: they cannot be seen with dims: 3")
    if spec.dims is None and dims == 3 and spec.patch is None:
        raise RequestError(
            f"data set '{spec.title}' holds volumes: say dims: 2 to see them slice by slice, or give a patch, such as "
            "patch: 32, to see them in cubes"
        )
    return spec.dims or (3 if dims == 3 else 2)


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value).expanduser() if value else None


def _home() -> Path:
    return Path.home() / ".cache" / "nestbench"
