"""``nestbench study``: run a study, see what it would run, see where it stands."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nestbench.cli.answers import AsJson, amount, duration, in_words, say_json, say_table
from nestbench.cli.study_file import (
    Data,
    Device,
    Precision,
    Results,
    StudyFile,
    checked_device,
    checked_precision,
    read,
)
from nestbench.cli.study_plan import plan
from nestbench.cli.study_prune import prune
from nestbench.cli.study_run import run
from nestbench.cli.study_status import status

if TYPE_CHECKING:
    from nestbench.runner.check import Check
    from nestbench.study.schema import Study

app = typer.Typer(help="Studies: run them, and see where they stand.")

app.command()(run)
app.command()(status)
app.command()(plan)
app.command()(prune)


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
    found = _look(study, results / study.name, checked_device(device), checked_precision(precision), data)
    if as_json:
        say_json({"study": study.name} | asdict(found))
    else:
        _say_check(found)


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
        ("precision", "memory format", "replayed", ">times as fast as plain float32"),
        [(m.precision, m.memory_format, "yes" if m.replay else "no", f"{m.ratio:.2f}") for m in found.measured],
    )
    plan = found.plan
    typer.echo(f"plan: {plan.words}, device {plan.device}, threads {plan.threads}")
    typer.echo(f"{found.runs} runs, about {duration(found.seconds)} of training with one worker if none stops early")
