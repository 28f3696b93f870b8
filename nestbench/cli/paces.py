"""What ``nestbench speed`` measured: as tables for people, as plain data for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer

from nestbench.cli.answers import amount, say_table
from nestbench.machine import device_name, environment
from nestbench.model import Spec
from nestbench.speed.pace import PERCENTILES, Pace
from nestbench.speed.survey import Measured, Setting, Survey


def say(network: str, spec: Spec, setting: Setting, survey: Survey) -> None:
    """Print what was timed and where, and a table each of the networks alone, from file to file, and of their costs."""
    plan = setting.plan
    image = " x ".join(map(str, (spec.in_channels, *(setting.size,) * spec.dims)))
    typer.echo(f"{network} on {spec.encoder}, {image}, batch {setting.batch}, by {setting.engine}")
    threads = f"{plan.threads} thread{'s' * (plan.threads > 1)}"
    typer.echo(f"{device_name(plan.device)}: {plan.device}, {plan.words}, {threads}\n")
    rows = survey.networks
    _say_paces("The network alone", survey.reference, rows, [row.alone for row in rows])
    _say_paces("From file to file, image by image", survey.reference, rows, [r.end_to_end for r in rows])
    _say_costs(survey)


def described(network: str, spec: Spec, setting: Setting, survey: Survey) -> dict[str, Any]:
    """All of it as plain data."""
    asked = {"network": network, "spec": spec.to_json()} | asdict(setting)
    return asked | {"environment": environment(setting.plan)} | asdict(survey)


def _say_paces(title: str, reference: str, rows: Sequence[Measured], paces: Sequence[Pace]) -> None:
    columns = ("output", ">median", *(f">{p} %" for p in PERCENTILES if p != 50), ">images/s")
    columns = (*columns, f">time of {reference}", ">95 % interval")
    lines = [(row.output, *_as_words(pace)) for row, pace in zip(rows, paces, strict=True)]
    say_table(columns, lines, title=f"{title}: ms, {paces[0].rounds} rounds")


def _as_words(pace: Pace) -> tuple[str, ...]:
    others = [_short(value) for p, value in pace.milliseconds.items() if p != 50]
    ratio = pace.ratio
    times = (_short(pace.images_per_second), f"{ratio.value:.2f}", f"{ratio.low:.2f} to {ratio.high:.2f}")
    return (_short(pace.median), *others, *times)


def _say_costs(survey: Survey) -> None:
    metered = not survey.no_energy
    columns = ("output", ">parameters", ">FLOPs", ">FLOPs/s", ">of peak", ">memory", ">whole process")
    say_table((*columns, *[">energy"] * metered), [_costs(row, metered) for row in survey.networks], title="Costs")
    notes = [f"peak: {amount(survey.peak_flops_per_second)}FLOPs/s, by 3x3 convolutions of torch in the same rounds"]
    notes += [survey.no_energy] * (not metered)
    for note in notes:
        typer.echo(note)


def _costs(row: Measured, metered: bool) -> tuple[str, ...]:
    size = row.size
    work = (f"{size.parameters:,}", amount(size.flops), amount(row.flops_per_second), _share(row.share_of_peak))
    memory = tuple(f"{value / 2**20:,.0f} MiB" for value in (row.memory.network, row.memory.process))
    energy = "-" if row.joules_per_image is None else f"{_short(row.joules_per_image)} J"
    return (row.output, *work, *memory, *[energy] * metered)


def _share(part: float) -> str:
    """In percent, with a digit behind the point where it is small."""
    return f"{part:.0%}" if part >= 0.1 else f"{part:.1%}"


def _short(number: float | None) -> str:
    """Three digits that count, and no more than that of large numbers."""
    if number is None:
        return "-"
    return f"{number:,.0f}" if number >= 100 else f"{number:#.3g}"
