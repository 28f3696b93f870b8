"""``nestbench study``: run a study, see what it would run, see where it stands."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestbench.cli.answers import AsJson, amount, duration, in_words, say_json, say_table
from nestbench.errors import RequestError, unknown

if TYPE_CHECKING:
    from nestbench.cli.progress import Board
    from nestbench.runner.check import Check
    from nestbench.runner.status import RunStatus
    from nestbench.study.schema import Study

app = typer.Typer(help="Studies: run them, and see where they stand.")

StudyFile = Annotated[Path, typer.Argument(metavar="FILE", help="A study file (YAML).")]
Results = Annotated[Path, typer.Option("--results", help="Where results are kept.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="Where data lies.", show_default="$NESTBENCH_DATA, else ~/.cache/nestbench"),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Precision = Annotated[
    str, typer.Option("--precision", help="auto, float32 or bfloat16; auto is what is fastest on this machine.")
]
Out = Annotated[Path | None, typer.Option("--out", help="The PDF.", show_default="reports/<name>.pdf")]


@app.command()
def run(
    file: StudyFile,
    workers: Annotated[int, typer.Option(help="Runs that are trained at once, each in a process.", min=1)] = 1,
    device: Device = "auto",
    precision: Precision = "auto",
    data: Data = None,
    results: Results = Path("results"),
    out: Out = None,
) -> None:
    """Train what is not done yet, then build the report."""
    study = read(file)
    folder, pdf = results / study.name, report_path(out, study.name)  # said to be wrong hours before it is needed
    board = _train(study, folder, workers, _checked(device), _known(precision), data)
    if board.done:
        _conclude(study, folder, pdf)
    for failed, reason in board.failed:
        typer.echo(f"failed: {failed}: {reason}", err=True)
    if board.failed:
        raise typer.Exit(1)


@app.command()
def check(
    file: StudyFile,
    device: Device = "auto",
    precision: Precision = "auto",
    data: Data = None,
    results: Results = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Say what the study would run: its data, the size of its networks, how they are computed, and for how long."""
    study = read(file)
    found = _look(study, results / study.name, _checked(device), _known(precision), data)
    if as_json:
        say_json({"study": study.name} | asdict(found))
    else:
        _say_check(found)


@app.command()
def status(file: StudyFile, results: Results = Path("results"), as_json: AsJson = False) -> None:
    """Say which runs are done, running, failed or waiting, and why."""
    from nestbench.results.owner import refuse_changed
    from nestbench.runner.status import study_status

    study = read(file)
    refuse_changed(study, results / study.name)
    rows = study_status(study, results / study.name)
    counts = Counter(row.state for row in rows)
    if as_json:
        say_json({"study": study.name, "counts": counts, "runs": [_as_data(row) for row in rows]})
        return
    say_table(("run", "state", ">epochs", ">validation IoU", "reason"), [_as_words(row) for row in rows])
    typer.echo(", ".join(f"{counts[s]} {s}" for s in ("done", "running", "failed", "waiting")))


def read(file: Path) -> "Study":
    """Read a study file; a wrong one is answered before the heavy rooms are imported."""
    from nestbench.study.files import read_study

    return read_study(file)


def report_path(out: Path | None, name: str) -> Path:
    """Where the PDF goes.

    Raises RequestError for a folder in its place, and for one that cannot be written to.
    """
    from nestbench.results.atomic import writable

    pdf = out or Path("reports") / f"{name}.pdf"
    if pdf.is_dir():
        raise RequestError(f"--out '{pdf}' is a folder: name a file in it, such as '{pdf / name}.pdf'")
    writable(pdf.parent)
    return pdf


def _train(study: "Study", folder: Path, workers: int, device: str, precision: str, data: Path | None) -> "Board":
    from rich.console import Console

    from nestbench.cli.display import follow
    from nestbench.datasets.open import cache_root, data_root
    from nestbench.runner.study import run_study

    root, cache = data_root(data), cache_root()
    events = run_study(study, folder, data=root, cache=cache, workers=workers, device=device, precision=precision)
    return follow(events, Console())


def _conclude(study: "Study", folder: Path, out: Path) -> None:
    from nestbench.cli.outcome import say_outcome
    from nestbench.report.pages import build_report

    pdf = build_report(folder, out)
    say_outcome(study, folder)
    typer.echo(f"report: {pdf}")


def _look(study: "Study", folder: Path, device: str, precision: str, data: Path | None) -> "Check":
    from nestbench.datasets.open import cache_root, data_root
    from nestbench.runner.check import check_study

    root, cache = data_root(data), cache_root()
    return check_study(study, folder, data=root, cache=cache, device=device, precision=precision)


def _say_check(found: "Check") -> None:
    facts = ("name", "cases", "subjects", "classes", "channels")
    rows = [[*(in_words(d[key]) for key in facts), *map(str, d["counts"].values())] for d in found.datasets]
    say_table(("data set", ">cases", ">subjects", "classes", ">channels", ">train", ">validation", ">test"), rows)
    say_table(
        ("data set", "encoder", "model", ">parameters", ">FLOPs"),
        [(n["dataset"], n["encoder"], n["model"], f"{n['parameters']:,}", amount(n["flops"])) for n in found.networks],
    )
    say_table(
        ("precision", "memory format", ">times as fast as plain float32"),
        [(one.precision, one.memory_format, f"{one.ratio:.2f}") for one in found.measured],
    )
    plan = found.plan
    typer.echo(f"plan: {plan.precision}, {plan.memory_format}, device {plan.device}, threads {plan.threads}")
    typer.echo(f"{found.runs} runs, about {duration(found.seconds)} of training with one worker if none stops early")


def _checked(device: str) -> str:
    from nestbench.study.schema import DEVICES

    if device not in DEVICES:
        raise unknown("device", device, DEVICES)
    return device


def _known(precision: str) -> str:
    from nestbench.machine.choose import PRECISIONS

    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    return precision


def _as_data(row: "RunStatus") -> dict[str, Any]:
    dataset, encoder, model = row.run.cell.key
    named = {"dataset": dataset, "encoder": encoder, "model": model, "seed": row.run.seed, "trial": row.run.trial}
    return named | {"state": row.state, "reason": row.reason, "epochs": row.epochs, "validation": row.validation}


def _as_words(row: "RunStatus") -> tuple[str, ...]:
    iou = "" if row.validation is None else f"{row.validation:.3f}"
    return str(row.run), row.state, str(row.epochs or ""), iou, row.reason
