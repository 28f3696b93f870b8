"""Where a study stands while it runs: a board folded from events, and what it lets one expect."""

from dataclasses import dataclass, replace
from statistics import mean

from nestbench.results.records import Epoch
from nestbench.runner.events import (
    Advanced,
    Event,
    Failed,
    Finished,
    Paused,
    Planned,
    Preparing,
    Retried,
    Started,
    Timing,
)
from nestbench.study.schema import Cell, Run


@dataclass(frozen=True)
class Training:
    """A run that is being trained."""

    run: Run
    since: float
    """When it began, in seconds of the clock that ``fold`` is given."""
    at_most: int = 0
    """Epochs after which it ends even if it still improves."""
    epoch: Epoch | None = None
    best: float = 0.0
    """Best validation IoU so far."""

    @property
    def longest(self) -> float | None:
        """Seconds that the whole run takes unless it stops early; None before the first epoch has ended."""
        return self.at_most * self.epoch.seconds if self.epoch else None


@dataclass(frozen=True)
class Board:
    """The runs of a study by what has become of them."""

    runs: tuple[Run, ...] = ()
    """Every run that is planned or was done before."""
    trials: int = 0
    """Search trials still to come when the study began; they are no part of ``runs``."""
    done: tuple[Run, ...] = ()
    failed: tuple[tuple[Run, str], ...] = ()
    training: tuple[Training, ...] = ()
    took: tuple[tuple[Cell, float], ...] = ()
    """Seconds of each run that finished since the study began."""
    aside: str = ""
    """What is done beside training."""

    @property
    def total(self) -> int:
        """Runs and trials together."""
        return len(self.runs) + self.trials

    @property
    def ended(self) -> int:
        """Runs and trials that are done or failed."""
        return len(self.done) + len(self.failed)

    @property
    def cells(self) -> tuple[int, int]:
        """Cells of which every run has ended, and all cells."""
        # By name: a search decides the recipe of a run after it was planned.
        ended = {str(run) for run in (*self.done, *(failed for failed, _ in self.failed))}
        every = {run.cell.key for run in self.runs}
        return len(every - {run.cell.key for run in self.runs if str(run) not in ended}), len(every)


def fold(board: Board, event: Event, now: float) -> Board:
    """The board after an event that came at ``now`` (seconds)."""
    changed = board
    match event:
        case Preparing(dataset, done, total):
            changed = replace(board, aside=f"preparing {dataset}: {done} of {total} cases" if done < total else "")
        case Planned(runs, done_before, trials):
            changed = replace(board, runs=_union(done_before, runs), done=done_before, trials=trials)
        case Started(run):
            changed = replace(board, training=(*board.training, Training(run, now)))
        case Advanced(run, epoch, at_most):
            changed = replace(board, training=tuple(_advance(t, run, epoch, at_most) for t in board.training))
        case Finished(run, result):
            changed = _without(board, run)
            changed = replace(changed, done=(*board.done, run), took=(*board.took, (run.cell, result.took)))
        case Failed(run, reason):
            changed = replace(_without(board, run), failed=(*board.failed, (run, reason)))
        case Retried(run) | Paused(run):
            changed = _without(board, run)
        case Timing(done, total):
            changed = replace(board, aside=f"timing networks: round {done} of {total}" if done < total else "")
    return changed


def time_left(board: Board, now: float) -> float | None:
    """Seconds until every run has ended, shared by the workers that are busy now; None while nothing is known.

    Before any run has finished this is what it takes if none stops early.
    """
    known = [left for t in board.training if (left := run_left(board, t, now)) is not None]
    wholes = [seconds for _, seconds in board.took] or [t.longest for t in board.training if t.longest is not None]
    if not known or not wholes:
        return None
    waiting = max(0, board.total - board.ended - len(board.training))
    return max(*known, (sum(known) + waiting * mean(wholes)) / len(board.training))


def run_left(board: Board, training: Training, now: float) -> float | None:
    """Seconds until a run ends, judged by its cell's finished runs, else by its own epochs."""
    same = [seconds for cell, seconds in board.took if cell == training.run.cell]
    whole = mean(same) if same else training.longest
    return None if whole is None else max(0.0, whole - (now - training.since))


def _union(done: tuple[Run, ...], planned: tuple[Run, ...]) -> tuple[Run, ...]:
    names = {str(run) for run in done}
    return (*done, *(run for run in planned if str(run) not in names))


def _advance(training: Training, run: Run, epoch: Epoch, at_most: int) -> Training:
    if training.run != run:
        return training
    return replace(training, epoch=epoch, at_most=at_most, best=max(training.best, epoch.validation_iou))


def _without(board: Board, run: Run) -> Board:
    return replace(board, training=tuple(t for t in board.training if t.run != run))
