"""What a study needs to see a difference, from the results of a pilot: seeds, test subjects, hours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import comb
from pathlib import Path

import pandas as pd

from nestbench.errors import RequestError
from nestbench.report.frames import CELL, PANEL, groups
from nestbench.report.statistics.comparisons import compare_members, is_alone
from nestbench.report.statistics.crossed import FEWEST_SEEDS
from nestbench.report.statistics.power import MOST_SEEDS, MOST_SUBJECTS, Variation, least, power, variation
from nestbench.results.finished import read_run
from nestbench.results.places import run_folder
from nestbench.results.scores import case_scores
from nestbench.study.models import is_outside
from nestbench.study.schema import Run, Study
from nestbench.topology import topology


@dataclass(frozen=True)
class Pilot:
    """What the finished runs of a study say of how its networks vary."""

    cases: pd.DataFrame
    """One row per run and test case, of the output that the member is judged by."""
    seconds: pd.DataFrame
    """One row per run."""


@dataclass(frozen=True)
class Need:
    """What it takes to see one difference on one data set and encoder; None where no count of it would do."""

    dataset: str
    encoder: str
    difference: float
    """IoU (0 to 1)."""
    power: float
    """Of the study as it is planned."""
    seeds: int | None
    """With the pilot's test subjects."""
    hours: float | None
    """For that many seeds of every network of the study on this data set and encoder."""
    subjects: int | None
    """With the study's seeds."""


@dataclass(frozen=True)
class Plan:
    """What was found in the pilot, and what it means for a study."""

    comparisons: int
    """How many the study's tables will have: what is corrected for."""
    variations: dict[tuple[str, str], Variation]
    seeds: dict[tuple[str, str], int]
    """Finished by all members of the pilot."""
    subjects: dict[tuple[str, str], int]
    needs: tuple[Need, ...]
    skipped: tuple[tuple[str, str], ...]
    """Data sets and encoders of the study of whose differences the pilot says nothing."""


def read_pilot(study: Study, folder: Path) -> Pilot:
    """Read the runs that are finished. Raises RequestError where there is none, or one cannot be read."""
    cases, seconds = [], []
    for cell in study.cells():
        name = dict(zip(CELL, cell.key, strict=True))
        for seed in range(study.seeds):
            found = read_run(run_folder(folder, Run(cell=cell, recipe=study.recipe, seed=seed)))
            if found is None:
                continue
            judged = found.cases[(found.cases["split"] == "test") & (found.cases["output"] == found.result.primary)]
            cases.append(case_scores(judged).assign(**name, seed=seed))
            seconds.append(name | {"seconds": found.result.took})
    if not cases:
        raise RequestError(
            f"no run of the study '{study.name}' in '{folder}' is finished: a plan is made from the results of a "
            f"pilot, such as the same study with {FEWEST_SEEDS} seeds"
        )
    return Pilot(pd.concat(cases, ignore_index=True), pd.DataFrame(seconds))


def make_plan(study: Study, pilot: Pilot, differences: Sequence[float], wanted: float) -> Plan:
    """What ``study`` needs to see each difference (IoU, 0 to 1) with the power that is wanted.

    The pilot may have other members, and fewer seeds. Raises RequestError where it has no two networks with two seeds
    on two test subjects in common: nothing can be said of how they vary.
    """
    panels = {key: compare_members(own) for key, own in groups(pilot.cases, PANEL)}
    usable = {key: own for key, own in panels.items() if len(own) and own["rest"].notna().any()}
    if not usable:
        raise RequestError(_why_not(pilot))
    found = {key: variation(own) for key, own in usable.items()}
    seeds = {key: int(own["seeds"].min()) for key, own in usable.items()}
    subjects = {key: int(own["subjects"].max()) for key, own in usable.items()}
    comparisons = _count(study)
    needs = (
        _need(study, pilot, key, found[key], subjects[key], difference, wanted, comparisons)
        for key in usable
        for difference in differences
    )
    panels_of_study = dict.fromkeys(cell.key[:2] for cell in study.cells())
    skipped = tuple(key for key in panels_of_study if key not in usable)
    return Plan(comparisons, found, seeds, subjects, tuple(needs), skipped)


def _count(study: Study) -> int:
    """How many comparisons the report of a study corrects for together."""
    alone = _count_alone(study) if study.task == "semantic" else 0
    return max(len(study.datasets) * len(study.encoders) * (comb(len(study.models), 2) + alone), 1)


def _count_alone(study: Study) -> int:
    """How many heads have beside them, for each data set and encoder, a network that was trained to them alone."""
    own = [model for model in study.models if not is_outside(model)]
    heads = {model: set(topology(model, study.depth).heads) for model in own}
    pairs = permutations(own, 2)
    return sum(is_alone(*pair, head, study.depth) for pair in pairs for head in heads[pair[0]] & heads[pair[1]])


def _need(
    study: Study,
    pilot: Pilot,
    key: tuple[str, str],
    found: Variation,
    subjects: int,
    difference: float,
    wanted: float,
    comparisons: int,
) -> Need:
    def enough(seeds: int, count: int) -> bool:
        return power(found, seeds, count, difference, comparisons) >= wanted

    seeds = least(lambda count: enough(count, subjects), FEWEST_SEEDS, MOST_SEEDS)
    own = pilot.seconds[(pilot.seconds["dataset"] == key[0]) & (pilot.seconds["encoder"] == key[1])]
    hours = sum(_hours(study, own))
    return Need(
        *key,
        difference,
        power(found, study.seeds, subjects, difference, comparisons),
        seeds,
        None if seeds is None else seeds * hours,
        least(lambda count: enough(study.seeds, count), 2, MOST_SUBJECTS),
    )


def _hours(study: Study, seconds: pd.DataFrame) -> Iterator[float]:
    """Hours of one seed of each member; one that the pilot has not is taken to be as slow as the others."""
    means = seconds.groupby("model")["seconds"].mean()
    for model in study.models:
        yield float(means.get(model, means.mean())) / 3600


def _why_not(pilot: Pilot) -> str:
    cells = pilot.cases.groupby(PANEL, sort=False)
    if cells["model"].nunique().max() < 2:
        return "the pilot has one network: a plan needs two on the same data set and encoder, whose difference varies"
    if pilot.cases["seed"].nunique() < 2:
        return "the pilot has one seed: a plan needs two, since one does not say how seeds vary (seeds: 3 in its file)"
    return "no two networks of the pilot have two seeds and two test subjects in common: a plan needs them"
