"""The study's data sets, made ready before any training."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from nestbench.datasets.prepared import Prepared, describe, prepare
from nestbench.datasets.splits import Split, split_cases
from nestbench.machine import Plan
from nestbench.results.atomic import write_json
from nestbench.runner.events import Preparing
from nestbench.runner.job import Job
from nestbench.runner.told import told
from nestbench.study.data import DatasetSpec
from nestbench.study.schema import Run, Study
from nestbench.study.words import slug


@dataclass(frozen=True)
class Ready:
    """A data set of the study: its arrays and its split."""

    spec: DatasetSpec
    prepared: Prepared
    split: Split


def ready_data(study: Study, root: Path, cache: Path) -> Generator[Preparing, None, dict[str, Ready]]:
    """Prepare and split every data set; return them by their title.

    Raises RequestError that names the files at fault.
    """
    ready = {}
    for spec in study.datasets:
        prepared = yield from _prepared(spec, root, cache)
        ready[spec.title] = Ready(spec, prepared, split_cases(prepared.cases, spec.split or prepared.shares))
    return ready


def write_data(ready: dict[str, Ready], folder: Path) -> None:
    """Write down in the study's folder what each data set is and how it was split."""
    for title, one in ready.items():
        write_json(folder / slug(title) / "dataset.json", describe(one.prepared, one.spec, one.split))


def make_job(ready: dict[str, Ready], plan: Plan, folder: Path, run: Run) -> Job:
    """A run with all that a worker needs for it."""
    one = ready[run.cell.dataset.title]
    return Job(run, one.prepared.folder, one.prepared.content, one.split, plan, folder)


def _prepared(spec: DatasetSpec, root: Path, cache: Path) -> Generator[Preparing, None, Prepared]:
    def work(say: Callable[[Preparing], None]) -> Prepared:
        return prepare(spec, root, cache, lambda done, total: say(Preparing(spec.title, done, total)))

    return told(work)
