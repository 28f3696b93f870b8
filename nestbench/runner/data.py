"""The study's data sets, made ready before any training."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from nestbench.datasets.prepared import Prepared, describe, prepare
from nestbench.datasets.splits import Split, split_cases
from nestbench.results.atomic import write_json
from nestbench.results.records import slug
from nestbench.runner.events import Preparing
from nestbench.runner.told import told
from nestbench.study.schema import DatasetSpec, Study


@dataclass(frozen=True)
class Ready:
    """A data set of the study: its arrays and its split."""

    prepared: Prepared
    split: Split


def ready_data(study: Study, folder: Path, root: Path, cache: Path) -> Generator[Preparing, None, dict[str, Ready]]:
    """Prepare and split every data set and write down what it is; return them by their title.

    Raises RequestError that names the files at fault.
    """
    ready = {}
    for spec in study.datasets:
        prepared = yield from _prepared(spec, root, cache)
        ready[spec.title] = Ready(prepared, split_cases(prepared.cases, spec.split))
        write_json(folder / slug(spec.title) / "dataset.json", describe(prepared, spec, ready[spec.title].split))
    return ready


def _prepared(spec: DatasetSpec, root: Path, cache: Path) -> Generator[Preparing, None, Prepared]:
    return told(lambda say: prepare(spec, root, cache, lambda done, total: say(Preparing(spec.title, done, total))))
