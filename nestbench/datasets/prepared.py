"""A data set made ready once: every image at the study's size, in arrays that are mapped into memory.

    <cache>/<name>-<size>-<key>/
        images.npy      uint8 (N, H, W, C)
        masks.npy       uint8 (N, H, W), index of the class
        instances.npy   int32 (N, H, W), 0 = background; where the data set tells objects apart
        index.json      everything else, and size and time of the arrays

The folder appears whole or not at all; one that was touched since is built again. A hidden lock file beside it keeps
two processes from building it at once.
"""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nestbench.datasets.arrays import Progress, write_arrays
from nestbench.datasets.contract import About, Case, Dataset, Labels, Pixels
from nestbench.datasets.listing import stamps
from nestbench.datasets.open import open_dataset
from nestbench.datasets.splits import Split
from nestbench.errors import RequestError
from nestbench.results.atomic import writable, write_json
from nestbench.results.records import fingerprint
from nestbench.study.schema import DatasetSpec, slug

# Raised whenever the arrays of one source would come out otherwise.
_FORMAT = 2


@dataclass(frozen=True, eq=False)
class Prepared:
    """Every case of a data set at one size."""

    folder: Path
    """Where the arrays lie: ``reopen`` maps them again, in another process too."""
    key: str
    """Fingerprint of what the arrays were made from on this machine: files, times, options, size."""
    content: str
    """SHA-256 of arrays, ids and subjects: the same on every machine that has the same data."""
    about: About
    classes: tuple[str, ...]
    cases: tuple[Case, ...]
    images: Pixels
    """(N, H, W, C), mapped read-only."""
    masks: Pixels
    """(N, H, W), index of the class, mapped read-only."""
    instances: Labels | None
    """(N, H, W), mapped read-only; None where objects are not told apart."""

    @property
    def channels(self) -> int:
        """Channels of every image."""
        return int(self.images.shape[3])


def prepare(spec: DatasetSpec, root: Path, cache: Path, progress: Progress | None = None) -> Prepared:
    """Give the prepared arrays of a study's data set, and make them where they are not there yet.

    ``progress`` is told how many cases of how many are done. Several processes may ask at once: one works, the
    others wait for it.

    Raises RequestError that names the files at fault, and how many they are.
    """
    dataset = open_dataset(spec, root)
    source = {"format": _FORMAT, "name": spec.name, "size": spec.size, "source": dataset.fingerprint()}
    key = fingerprint(source)
    folder = cache.absolute() / f"{slug(spec.name)}-{spec.size}-{key}"
    found = _opened(folder)
    if found is None:
        writable(cache)
        with _alone(folder.with_name(f".{folder.name}.lock")):
            found = _opened(folder) or _build(folder, key, dataset, spec, progress)
    return found


def reopen(folder: Path) -> Prepared:
    """Map the arrays of ``Prepared.folder`` again, without a look at the source they were made from.

    Raises RequestError where they are not as they were written.
    """
    found = _opened(folder)
    if found is None:
        raise RequestError(f"the prepared data in '{folder}' are gone or damaged: start the study again")
    return found


def describe(prepared: Prepared, spec: DatasetSpec, split: Split) -> dict[str, Any]:
    """What a study's results say of a data set, as JSON data: origin, classes, sizes, and the split by case."""
    sides = {side: [prepared.cases[i].id for i in positions] for side, positions in asdict(split).items()}
    return {
        "name": spec.title,
        **asdict(prepared.about),
        "classes": list(prepared.classes),
        "channels": prepared.channels,
        "size": spec.size,
        "subjects": len({case.subject for case in prepared.cases}),
        "counts": {side: len(ids) for side, ids in sides.items()},
        "split": sides,
        "content": prepared.content,
    }


def _build(folder: Path, key: str, dataset: Dataset, spec: DatasetSpec, progress: Progress | None) -> Prepared:
    beside = folder.with_name(f".{folder.name}.building")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir()
        cases = dataset.cases()
        if not cases:
            raise RequestError(f"data set '{spec.title}' has no cases")
        content = write_arrays(beside, dataset, cases, spec.size, progress)
        index = {
            "key": key,
            "content": content,
            "about": asdict(dataset.about),
            "classes": list(dataset.classes),
            "cases": [[case.id, case.subject] for case in cases],
            "arrays": stamps(beside),
        }
        write_json(beside / "index.json", index)
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    except OSError as error:
        raise RequestError(f"cannot prepare data set '{spec.title}' in '{folder}': {error.strerror}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return reopen(folder)


def _opened(folder: Path) -> Prepared | None:
    """The prepared arrays, or None where the folder is missing, half or not as it was written."""
    try:
        return _read(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(folder: Path) -> Prepared:
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    written = [tuple(stamp) for stamp in index["arrays"]]
    if written != [stamp for stamp in stamps(folder) if stamp[0] != "index.json"]:
        raise ValueError(f"'{folder}' is not as it was written")
    arrays = {Path(name).stem: np.load(folder / name, mmap_mode="r") for name, _, _ in written}
    return Prepared(
        folder=folder,
        key=index["key"],
        content=index["content"],
        about=About(**index["about"]),
        classes=tuple(index["classes"]),
        cases=tuple(Case(*case) for case in index["cases"]),
        images=arrays["images"],
        masks=arrays["masks"],
        instances=arrays.get("instances"),
    )


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other process holds the lock; the system lets go of it when its holder dies."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
