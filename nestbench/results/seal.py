"""One fingerprint of all that a report is made from, so that an old report is told from a new one."""

from collections.abc import Iterator
from pathlib import Path

from nestbench.results.reading import hashed
from nestbench.results.records import fingerprint

_NAMES = (
    "study.yaml",
    "plan.json",
    "dataset.json",
    "objects.parquet",
    "overlays.npz",
    "importance.json",
    "result.json",
    "failed.json",
)
"""Files that a report reads; ``result.json`` holds the hashes of the files beside it."""


def seal(folder: Path) -> str:
    """Fingerprint of a study's results: it changes with every run that ends and with every file that is changed."""
    return fingerprint({path.relative_to(folder).as_posix(): hashed(path) for path in _files(folder)})


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("speed/*.json"))
    for name in _NAMES:
        yield from sorted(path for path in folder.rglob(name) if not path.parent.name.startswith("trial-"))
