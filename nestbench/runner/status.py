"""How far a study is, from the files of its results alone."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Literal

from nestbench.results.lock import at_work, is_held
from nestbench.results.places import cell_folder, seed_folder
from nestbench.results.records import read_failure, read_result
from nestbench.results.stopped import read_stopped
from nestbench.study.schema import Cell, Run, Study

State = Literal["done", "running", "stopped", "failed", "waiting"]


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
    seconds: float = 0.0
    """That its epochs have taken."""
    at_work: str = ""
    """Process and host that work on it."""


def study_status(study: Study, folder: Path) -> list[RunStatus]:
    """Status of every run: each cell's search trials, then its seeds."""
    places = {cell: cell_folder(folder, cell) for cell in study.cells()}
    return [_status(run, place / run.label) for cell, place in places.items() for run in _runs(study, cell)]


def finished(study: Study, folder: Path) -> bool:
    """Whether every seed has a result, so that nobody is needed to do runs; what those say is looked at later."""
    places = (seed_folder(folder, cell, seed) for cell in study.cells() for seed in range(study.seeds))
    return all((place / "result.json").exists() for place in places)


def under_way(rows: Sequence[RunStatus], folder: Path) -> bool:
    """Whether a study is being run: between two runs, or while data are prepared, no run is."""
    return any(row.state == "running" for row in rows) or is_held(folder / ".lock")


def seconds_left(rows: Sequence[RunStatus]) -> float | None:
    """Seconds until every run is done, by as many workers as are busy now, else by one; None while nothing is known.

    A run takes as long as its cell's finished ones did, else as those of all cells, else as it will if it does not end
    early.
    """
    took: dict[Cell, list[float]] = defaultdict(list)
    for row in rows:
        if row.state == "done":
            took[row.run.cell].append(row.seconds)
    longest = [
        row.seconds / row.epochs * row.run.recipe.epochs for row in rows if row.state == "running" and row.epochs
    ]
    every = [seconds for cell in took.values() for seconds in cell] or longest
    if not every:
        return None
    whole = mean(every)
    lefts = [max(0.0, mean(took.get(row.run.cell) or [whole]) - row.seconds) for row in rows if row.state != "done"]
    return sum(lefts) / max(1, sum(row.state == "running" for row in rows))


def _runs(study: Study, cell: Cell) -> Iterator[Run]:
    for number in range(study.search.trials if study.search else 0):
        yield Run(cell=cell, recipe=study.recipe, seed=0, trial=number)
    for seed in range(study.seeds):
        yield Run(cell=cell, recipe=study.recipe, seed=seed)


def _status(run: Run, folder: Path) -> RunStatus:
    found = _done(run, folder) or _undone(run, folder)
    # A run that ended between the two looks has neither a mark nor a checkpoint any more.
    return found if found.state in ("done", "running") else _done(run, folder) or found


def _done(run: Run, folder: Path) -> RunStatus | None:
    result = read_result(folder)
    return None if result is None else RunStatus(run, "done", "", result.epochs, result.validation, result.seconds)


def _undone(run: Run, folder: Path) -> RunStatus:
    mark = at_work(folder)
    if mark is not None:
        where = f"process {mark.process} on {mark.host}"
        return RunStatus(run, "running", "", mark.epochs, mark.validation, mark.seconds, where)
    reason = read_failure(folder)
    if reason is not None:
        return RunStatus(run, "failed", reason)
    behind = read_stopped(folder)
    if behind is None:
        return RunStatus(run, "waiting")
    best = max((epoch.validation_iou for epoch in behind), default=None)
    return RunStatus(run, "stopped", "", len(behind), best, sum(epoch.seconds for epoch in behind))
