"""``nestbench study status``: where a study stands, once or again and again."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestbench.cli.answers import AsJson, duration, say_json, say_table
from nestbench.cli.study_file import Results, StudyFile, read
from nestbench.errors import RequestError

if TYPE_CHECKING:
    from nestbench.runner.status import RunStatus, State
    from nestbench.study.schema import Study

_STATES: "tuple[State, ...]" = ("done", "running", "stopped", "failed", "waiting")

_FEW = 60
"""Runs that are all shown; of more, those that are at work, stopped or failed, unless all are asked for."""

_EVERY = 5.0
"""Seconds from one look to the next."""


def status(
    file: StudyFile,
    results: Results = Path("results"),
    every: Annotated[bool, typer.Option("--all", help="Show every run, however many there are.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every 5 seconds, for as long as it is being run.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say which runs are done, running, stopped, failed or waiting, and why; and how long the rest will take."""
    from rich.console import Console

    from nestbench.runner.status import under_way

    study = read(file)
    rows = _look(study, results / study.name)
    if as_json:
        say_json(_as_data(study, rows))
        return
    _say(rows, every)
    _say_stale(Path("reports") / f"{study.name}.pdf", results)
    with suppress(KeyboardInterrupt):  # which ends the watching, and not the study
        while watch and under_way(rows, results / study.name):
            time.sleep(_EVERY)
            rows = _look(study, results / study.name)
            Console().clear()
            _say(rows, every)


def _look(study: "Study", folder: Path) -> "list[RunStatus]":
    from nestbench.results.owner import refuse_changed
    from nestbench.runner.status import study_status

    refuse_changed(study, folder)
    return study_status(study, folder)


def _say(rows: "Sequence[RunStatus]", every: bool) -> None:
    from nestbench.runner.status import seconds_left

    cells: dict[tuple[str, ...], list[RunStatus]] = {}
    for row in rows:
        cells.setdefault(row.run.cell.key, []).append(row)
    names = ("data set", "encoder", "model")
    say_table((*names, *(f">{state}" for state in _STATES)), [(*key, *_counts(cells[key])) for key in cells])
    shown = [row for row in rows if every or len(rows) <= _FEW or row.state in ("running", "stopped", "failed")]
    if shown:
        say_table(("run", "state", ">epochs", ">validation", "why, or where"), [_as_words(row) for row in shown])
    counts = Counter(row.state for row in rows)
    left = None if counts["done"] == len(rows) else seconds_left(rows)
    words = "" if left is None else f"; about {duration(left)} left"
    typer.echo(", ".join(f"{counts[state]} {state}" for state in _STATES) + words)


def _say_stale(pdf: Path, results: Path) -> None:
    """Say so where the study's report is older than its results, or no report at all."""
    from nestbench.report.verify import stale_studies

    try:
        stale = pdf.exists() and stale_studies(pdf, results)
    except RequestError as error:
        typer.echo(f"{error}; 'nestbench report build' makes it anew")
    else:
        if stale:
            typer.echo(f"'{pdf}' is stale: the results have changed since; 'nestbench report build' makes it anew")


def _counts(rows: "Sequence[RunStatus]") -> list[str]:
    counts = Counter(row.state for row in rows)
    return [str(counts[state] or "") for state in _STATES]


def _as_data(study: "Study", rows: "Sequence[RunStatus]") -> dict[str, Any]:
    from nestbench.runner.status import seconds_left

    counts = Counter(row.state for row in rows)
    return {
        "study": study.name,
        "counts": counts,
        "seconds_left": 0.0 if counts["done"] == len(rows) else seconds_left(rows),
        "runs": [_row_data(row) for row in rows],
    }


def _row_data(row: "RunStatus") -> dict[str, Any]:
    dataset, encoder, model = row.run.cell.key
    named = {"dataset": dataset, "encoder": encoder, "model": model, "seed": row.run.seed, "trial": row.run.trial}
    facts = ("state", "reason", "at_work", "epochs", "validation", "seconds")
    return named | {fact: getattr(row, fact) for fact in facts}


def _as_words(row: "RunStatus") -> tuple[str, ...]:
    score = "" if row.validation is None else f"{row.run.cell.criterion} {row.validation:.3f}"
    return str(row.run), row.state, str(row.epochs or ""), score, row.reason or row.at_work
