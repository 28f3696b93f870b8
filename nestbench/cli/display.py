"""A study's progress before the eyes: live on a terminal, as plain lines elsewhere."""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nestbench.cli.answers import duration
from nestbench.cli.progress import Board, Training, fold, run_left, time_left
from nestbench.datasets.twins import Twins
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
    Told,
    Twinned,
)

_EVERY = 5
"""Epochs from one plain line of a run to the next."""


_MOST_TWINS = 20
"""Pairs of twins that are named; all of them stand in the results."""


def follow(events: Iterable[Event], console: Console, clock: Callable[[], float] = time.monotonic) -> Board:
    """Show events as they come and return where the study stands after the last one."""
    board = Board()
    live = console.is_terminal
    shown: AbstractContextManager[object] = nullcontext()
    if live:
        shown = Live(console=console, get_renderable=lambda: draw(board, clock()), transient=True)
    with shown:
        for event in events:
            board = fold(board, event, clock())
            line = tell(event) or ("" if live else tell_detail(event))
            if line:
                console.print(line, highlight=False, markup=False, soft_wrap=not live)
    return board


def tell(event: Event) -> str:
    """An event as a line that is worth keeping, or nothing."""
    match event:
        case Planned(runs, done, trials):
            cells = len({run.cell.key for run in (*runs, *done)})
            waiting = len({*map(str, runs)} - {*map(str, done)})
            search = f", {trials} search trials" if trials else ""
            return f"{cells} cells: {waiting} runs to do{search}, {len(done)} done already"
        case Twinned(dataset, twins):
            return "\n".join([f"warning: {dataset} shows {_pairs(twins)} on two sides of its split:", *_named(twins)])
        case Finished() | Failed() | Retried() | Paused():
            return _tell_end(event)
        case Told(text):
            return text
        case _:
            return ""


def _tell_end(event: Finished | Failed | Retried | Paused) -> str:
    match event:
        case Finished(run, result):
            took = f"{result.epochs} epochs, {duration(result.seconds)}"
            return f"finished {run}: validation {run.cell.criterion} {result.validation:.3f}, {took}"
        case Failed(run, reason):
            return f"failed {run}: {reason}"
        case Retried(run, reason):
            return f"trying again {run}: {reason}"
        case Paused(run):
            return f"stopped {run}: it keeps its place"


def _pairs(twins: Twins) -> str:
    return "one image" if len(twins.found) == 1 else f"{len(twins.found)} images"


def _named(twins: Twins) -> list[str]:
    more = len(twins.found) - _MOST_TWINS
    return [f"  {twin}" for twin in twins.found[:_MOST_TWINS]] + ([f"  and {more} more pairs"] if more > 0 else [])


def tell_detail(event: Event) -> str:
    """An event as a line for those who have no live display, or nothing."""
    match event:
        case Started(run):
            return f"started {run}"
        case Advanced(run, epoch, at_most) if (epoch.index + 1) % _EVERY == 0:
            score = f"validation {run.cell.criterion} {epoch.validation_iou:.3f}"
            return f"{run}: epoch {epoch.index + 1} of at most {at_most}, {score}"
        case Preparing(dataset, done, total) if done == total:
            return f"prepared {dataset}: {total} cases"
        case Timing(done, total) if done == total:
            return "timed every network"
        case _:
            return ""


def draw(board: Board, now: float) -> RenderableType:
    """The live display: a bar over all runs, a row for each run that is being trained, and what else is done."""
    parts: list[RenderableType] = []
    if board.total:
        parts.append(_bar(board, now))
    if board.training:
        parts.append(_rows(board, now))
    if board.aside:
        parts.append(Text(board.aside))
    return Group(*parts)


def _bar(board: Board, now: float) -> Table:
    ended, every = board.cells
    words = f" {board.ended}/{board.total} runs, {ended}/{every} cells"
    words += f", {len(board.failed)} failed" if board.failed else ""
    left = time_left(board, now)
    words += f", about {duration(left)} left" if left is not None else ""
    line = Table.grid(expand=True)
    line.add_column(ratio=1)
    line.add_column(no_wrap=True)
    line.add_row(ProgressBar(total=board.total, completed=board.ended), Text(words))
    return line


def _rows(board: Board, now: float) -> Table:
    table = Table(box=None, pad_edge=False, expand=True, header_style="dim")
    table.add_column("training", ratio=1, overflow="ellipsis", no_wrap=True)
    for name in ("epoch", "validation", "best", "left"):
        table.add_column(name, justify="right", no_wrap=True)
    for training in board.training:
        left = run_left(board, training, now)
        table.add_row(str(training.run), *_numbers(training), "" if left is None else duration(left))
    return table


def _numbers(training: Training) -> tuple[str, str, str]:
    epoch = training.epoch
    if epoch is None:
        return "", "", ""
    score = f"{training.run.cell.criterion} {epoch.validation_iou:.3f}"
    return f"{epoch.index + 1}/{training.at_most}", score, f"{training.best:.3f}"
