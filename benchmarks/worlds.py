"""Worlds like that of a study's results, in which whole studies are drawn, none of them with a difference."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestbench.errors import RequestError
from nestbench.report.statistics.comparisons import grid
from nestbench.report.statistics.crossed import moments
from nestbench.results.scores import case_scores

Array = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """What differs between networks and cases, as variances of one network's IoU (0 to 1)."""

    members: int
    network: float
    gain: float
    """Of a member on a case, beyond what all members have there."""
    rest: float
    level: Array
    """Mean IoU of each real case."""
    spread: Array
    """By how much more than on the average case networks disagree about it; its square has the mean 1."""

    def draw(self, random: np.random.Generator, shape: tuple[int, ...], cases: int) -> Array:
        """IoU of studies without a difference: (*shape, members, seeds, cases); ``shape`` ends in the seeds."""
        *studies, seeds = shape
        real = random.integers(0, len(self.level), (*studies, 1, 1, cases))
        network = random.normal(0, self.network**0.5, (*studies, self.members, seeds, 1))
        gain = random.normal(0, self.gain**0.5, (*studies, self.members, 1, cases))
        rest = random.normal(0, self.rest**0.5, (*studies, self.members, seeds, cases))
        return self.level[real] + network + self.spread[real] * (gain + rest)


def real_tables(results: Path, split: str) -> dict[tuple[str, str], Array]:
    """IoU (seeds, cases) of each member and output in a study's results, by their names."""
    paths = sorted(results.rglob("seed-*/cases.parquet"))
    if not paths:
        raise RequestError(f"'{results}' holds no finished run")
    runs = [case_scores(pd.read_parquet(p)).assign(model=p.parts[-3], seed=p.parts[-2]) for p in paths]
    cases = pd.concat(runs)
    own = cases[cases["split"] == split].groupby(["model", "output"], sort=False)
    return {key: grid(table).to_numpy() for key, table in own}


def primaries(tables: dict[tuple[str, str], Array]) -> Array:
    """The output that each member is judged by, its last: (members, seeds, cases)."""
    return np.stack(list({model: table for (model, _), table in tables.items()}.values()))


def estimate(tables: Array, differences: Array) -> World:
    """The world of real tables (members, seeds, cases); ``differences`` (.., seeds, cases) are of two of them each."""
    found, (_, seeds, cases) = moments(differences), tables.shape
    rest, seed, subject = (float(values.mean()) for values in (found.rest, found.seed, found.subject))
    left = tables - tables.mean(axis=1, keepdims=True) - tables.mean(axis=2, keepdims=True)
    disagreement = np.mean((left + tables.mean(axis=(1, 2), keepdims=True)) ** 2, axis=(0, 1))
    return World(
        members=len(tables),
        network=max(seed - rest, 0.0) / cases / 2,
        gain=max(subject - rest, 0.0) / seeds / 2,
        rest=rest / 2,
        level=tables.mean(axis=(0, 1)),
        spread=np.sqrt(disagreement / disagreement.mean()),
    )


def pairs(tables: Array) -> Array:
    """Differences (.., pairs, seeds, cases) of every two members of (.., members, seeds, cases)."""
    return np.stack([tables[..., b, :, :] - tables[..., a, :, :] for a, b in couples(tables)], axis=-3)


def couples(tables: Array) -> list[tuple[int, int]]:
    return list(combinations(range(tables.shape[-3]), 2))


def head_worlds(results: Path) -> dict[str, tuple[World, list[str]]]:
    """For validation and test: the world of heads' differences to the deepest, and the members that have them."""
    worlds = {}
    for split in ("validation", "test"):
        heads = {key: table for key, table in real_tables(results, split).items() if key[1] != "ensemble"}
        deepest = {model: table for (model, _), table in heads.items()}
        gaps = {key: table - deepest[key[0]] for key, table in heads.items() if table is not deepest[key[0]]}
        if not gaps:
            return {}
        worlds[split] = estimate(primaries(heads), np.stack(list(gaps.values()))), [model for model, _ in gaps]
    return worlds
