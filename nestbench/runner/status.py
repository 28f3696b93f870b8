"""How far a study is, from the files of its results alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nestbench.results.records import read_failure, read_result, run_folder
from nestbench.results.running import read_mark
from nestbench.study.schema import Cell, Run, Study

State = Literal["done", "running", "failed", "waiting"]


@dataclass(frozen=True)
class RunStatus:
    """Where one run is."""

    run: Run
    state: State
    reason: str = ""
    """Why it failed the last time."""
    epochs: int = 0
    validation: float | None = None
    """Best validation IoU so far, 0 to 1."""


def study_status(study: Study, folder: Path) -> list[RunStatus]:
    """Status of every run: each cell's search trials, then its seeds."""
    return [_status(run, run_folder(folder, run)) for cell in study.cells() for run in _runs(study, cell)]


def _runs(study: Study, cell: Cell) -> Iterator[Run]:
    for number in range(study.search.trials if study.search else 0):
        yield Run(cell=cell, recipe=study.recipe, seed=0, trial=number)
    for seed in range(study.seeds):
        yield Run(cell=cell, recipe=study.recipe, seed=seed)


def _status(run: Run, folder: Path) -> RunStatus:
    result = read_result(folder)
    if result is not None:
        return RunStatus(run, "done", "", result.epochs, result.validation)
    mark = read_mark(folder)
    if mark is not None:
        return RunStatus(run, "running", "", mark.epochs, mark.validation)
    reason = read_failure(folder)
    return RunStatus(run, "waiting") if reason is None else RunStatus(run, "failed", reason)
