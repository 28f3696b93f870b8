"""``nestbench study plan``: how many seeds and cases a difference needs to be seen, and how long that takes here."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestbench.cli.answers import AsJson, duration, say_json, say_table
from nestbench.cli.study_file import Results, StudyFile, read
from nestbench.errors import RequestError

if TYPE_CHECKING:
    from nestbench.report.planning import Need, Plan
    from nestbench.study.schema import Study


def plan(
    file: StudyFile,
    results: Results = Path("results"),
    pilot: Annotated[
        Path | None, typer.Option("--pilot", metavar="FILE", help="Plan from the results of this study instead.")
    ] = None,
    difference: Annotated[
        list[float] | None,
        typer.Option(
            "--difference", metavar="D", help="IoU points to be seen; may be repeated.", show_default="1 and 2"
        ),
    ] = None,
    power: Annotated[float, typer.Option("--power", help="Probability with which they are to be seen.")] = 0.8,
    as_json: AsJson = False,
) -> None:
    """Say how many seeds, or test subjects, show a difference of so many IoU points, and the hours that it takes.

    From the variance of the results that are there, of this study or of a pilot; nothing is trained.
    """
    wanted = _checked(difference or [1.0, 2.0], power)
    study = read(file)
    found = _look(study, study if pilot is None else read(pilot), results, wanted, power)
    if as_json:
        say_json(_as_data(study, found, power))
    else:
        _say(study, found, power)


def _checked(differences: list[float], power: float) -> list[float]:
    """Differences as shares of 1."""
    for points in differences:
        if not 0 < points <= 100:
            raise RequestError(f"--difference {points:g} is not a number of IoU points above 0 and up to 100")
    if not 0 < power < 1:
        raise RequestError(f"--power {power:g} is not a probability between 0 and 1")
    return [points / 100 for points in differences]


def _look(study: "Study", pilot: "Study", results: Path, differences: list[float], power: float) -> "Plan":
    from nestbench.report.planning import make_plan, read_pilot

    return make_plan(study, read_pilot(pilot, results / pilot.name), differences, power)


def _say(study: "Study", found: "Plan", power: float) -> None:
    from nestbench.report.names import counted

    spread = [
        (*key, str(found.seeds[key]), str(found.subjects[key]), *(f"{100 * value**0.5:.2f}" for value in own))
        for key, own in found.variations.items()
    ]
    columns = (">seeds", ">test subjects", ">s.d. of seeds", ">of subjects", ">of the rest")
    say_table(("data set", "encoder", *columns), spread, "What the pilot's differences vary by (IoU points)")
    now = counted(study.seeds, "seed")
    columns = (">difference", f">power with {now}", ">seeds needed", ">hours", f">or subjects, with {now}")
    say_table(("data set", "encoder", *columns), map(_row, found.needs), f"What a power of {power:g} needs")
    for dataset, encoder in found.skipped:
        typer.echo(
            f"No plan for {dataset} with {encoder}: the pilot has no two networks there with two seeds and two test "
            "subjects in common."
        )
    typer.echo(
        f"Corrected for {counted(found.comparisons, 'comparison')} in all. Variances from few seeds are rough: plan "
        "anew once more are there. Hours are of training and testing one run after another, searches aside."
    )


def _row(need: "Need") -> tuple[str, ...]:
    from nestbench.report.statistics.power import MOST_SEEDS, MOST_SUBJECTS

    hours = "" if need.hours is None else duration(3600 * need.hours)
    seeds = f"over {MOST_SEEDS}" if need.seeds is None else str(need.seeds)
    subjects = f"over {MOST_SUBJECTS}" if need.subjects is None else str(need.subjects)
    return need.dataset, need.encoder, f"{100 * need.difference:g}", f"{need.power:.2f}", seeds, hours, subjects


def _as_data(study: "Study", found: "Plan", power: float) -> dict[str, Any]:
    pilot = [
        {"dataset": key[0], "encoder": key[1], "seeds": found.seeds[key], "subjects": found.subjects[key]}
        | {"variances": own._asdict()}
        for key, own in found.variations.items()
    ]
    needs = [asdict(need) for need in found.needs]
    skipped = [{"dataset": dataset, "encoder": encoder} for dataset, encoder in found.skipped]
    return {
        "study": study.name,
        "power": power,
        "comparisons": found.comparisons,
        "pilot": pilot,
        "needs": needs,
        "skipped": skipped,
    }
