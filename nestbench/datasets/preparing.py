"""Making a data set ready: every case in 8 bits and at the study's size, in the files of ``datasets.prepared``.

Their folder appears whole or not at all; one that was touched since is built again. A hidden lock file beside it keeps
two processes from building it at once.
"""

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple
from pathlib import Path

import pandas as pd

from nestbench.datasets.arrays import Progress, write_arrays
from nestbench.datasets.contract import Case, Dataset
from nestbench.datasets.objects import COLUMNS
from nestbench.datasets.open import open_dataset
from nestbench.datasets.prepared import OBJECTS, Prepared, opened, reopen
from nestbench.errors import RequestError, RunError
from nestbench.formats.listing import stamps
from nestbench.results.atomic import writable, write_json
from nestbench.results.records import fingerprint
from nestbench.study.data import DatasetSpec
from nestbench.study.words import slug

# Raised whenever the arrays of one source would come out otherwise.
_FORMAT = 8


def prepare(spec: DatasetSpec, root: Path, cache: Path, progress: Progress | None = None) -> Prepared:
    """Give the prepared files of a study's data set, and make them where they are not there yet.

    ``progress`` is told how many cases of how many are done. Several processes may ask at once: one works, the
    others wait for it.

    Raises RequestError that names the files at fault, and how many they are, and RunError where the disk is full; then
    nothing is left of what was written.
    """
    dataset = open_dataset(spec, root)
    decides = spec.model_dump(mode="json", include={"name", "size", "spacing", "window", "percentiles"})
    key = fingerprint({"format": _FORMAT, **decides, "source": dataset.fingerprint()})
    folder = cache.absolute() / f"{slug(spec.name)}-{key}"
    found = opened(folder)
    if found is None:
        writable(cache)
        with _alone(folder.with_name(f".{folder.name}.lock")):
            found = opened(folder) or _build(folder, key, dataset, spec, progress)
    return found


def _write_objects(path: Path, cases: Sequence[Case], tables: Sequence[pd.DataFrame]) -> None:
    """Write the tables of all cases as one."""
    named = (table.assign(case=case.id, subject=case.subject) for case, table in zip(cases, tables, strict=True))
    table = pd.concat(named, ignore_index=True)
    table[["case", "subject", *COLUMNS]].to_parquet(path, index=False)


def _build(folder: Path, key: str, dataset: Dataset, spec: DatasetSpec, progress: Progress | None) -> Prepared:
    beside = folder.with_name(f".{folder.name}.building")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir()
        cases = dataset.cases()
        if not cases:
            raise RequestError(f"data set '{spec.title}' has no cases")
        written = write_arrays(beside, dataset, cases, spec, progress)
        _write_objects(beside / OBJECTS, cases, written.objects)
        index = {
            "key": key,
            "about": asdict(dataset.about),
            "classes": dataset.classes,
            "channels": dataset.channels,
            "marks": getattr(dataset, "marks", ()),
            "dims": dataset.dims,
            "shares": dataset.shares,
            "cases": [astuple(case) for case in cases],
            "content": written.content,
            "spaces": written.spaces,
            "moments": written.moments,
            "spacings": written.spacings,
            "files": stamps(beside),
        }
        write_json(beside / "index.json", index)
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    except OSError as error:
        raise RunError(
            f"cannot prepare data set '{spec.title}' in the folder '{folder.parent}': {error.strerror or error}; "
            f"{shutil.disk_usage(folder.parent).free:,} bytes are free there, and $NESTBENCH_CACHE names another folder"
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return reopen(folder)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other process holds the lock; the system lets go of it when its holder dies."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
