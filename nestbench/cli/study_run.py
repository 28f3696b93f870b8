"""``nestbench study run``: train what is not done yet, then build the report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nestbench.cli.study_file import (
    Data,
    Device,
    Out,
    Precision,
    Results,
    StudyFile,
    checked_cluster,
    checked_device,
    checked_precision,
    read,
    report_path,
)

if TYPE_CHECKING:
    from nestbench.cli.progress import Board
    from nestbench.runner.means import Means
    from nestbench.runner.study import Stop
    from nestbench.study.schema import Study


def run(
    file: StudyFile,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Runs that are trained at once, each in a process.",
            min=1,
            show_default="1; on GPUs --per-gpu each; on a cluster what fits",
        ),
    ] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    data: Data = None,
    results: Results = Path("results"),
    out: Out = None,
    retries: Annotated[int, typer.Option(help="How often a run is tried again whose process died.", min=0)] = 2,
    silence: Annotated[
        float, typer.Option(help="Minutes without an epoch after which a run counts as hung.", min=0.1)
    ] = 60,
    checkpoint: Annotated[
        float, typer.Option(help="Seconds between two checkpoints of a run.", min=0, show_default="60")
    ] = 60,
    cluster: Annotated[
        str, typer.Option(help="Run on a Ray cluster: its address, or auto.", show_default="this machine")
    ] = "",
    per_gpu: Annotated[int, typer.Option(help="Runs that share a GPU.", min=1, max=48)] = 1,
    storage: Annotated[
        str, typer.Option(help="URL of the database of the search.", show_default="SQLite in the results")
    ] = "",
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write logs for TensorBoard.")] = False,
) -> None:
    """Train what is not done yet, then build the report."""
    from nestbench.cli.signals import stoppable

    study = read(file)
    cluster = checked_cluster(cluster, study, results / study.name)
    from nestbench.datasets.open import cache_root, data_root
    from nestbench.runner.means import Means

    folder, pdf = results / study.name, report_path(out, study.name)  # said to be wrong hours before it is needed
    means = Means(
        data=data_root(data),
        cache=cache_root(),
        workers=workers,
        device=checked_device(device),
        precision=checked_precision(precision),
        cluster=cluster,
        per_gpu=per_gpu,
        storage=storage,
        retries=retries,
        silence=60 * silence,
        every=checkpoint,
        tensorboard=tensorboard,
    )
    with stoppable() as wish:
        board = _train(study, folder, means, wish)
    if wish():
        raise typer.Exit(wish.code)
    if board.done:
        _conclude(study, folder, pdf)
    for failed, reason in board.failed:
        typer.echo(f"failed: {failed}: {reason}", err=True)
    if board.failed:
        raise typer.Exit(1)


def _train(study: "Study", folder: Path, means: "Means", stop: "Stop") -> "Board":
    from rich.console import Console

    from nestbench.cli.display import follow
    from nestbench.runner.study import run_study

    return follow(run_study(study, folder, means, stop), Console())


def _conclude(study: "Study", folder: Path, out: Path) -> None:
    from nestbench.cli.outcome import say_outcome
    from nestbench.report.pages import build_report

    pdf = build_report([folder], out)
    say_outcome(study, folder)
    typer.echo(f"report: {pdf}")
