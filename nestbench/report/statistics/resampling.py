"""Intervals and ranks by drawing again what was drawn: seeds and subjects, both at once, with replacement.

A subject's cases stay together: their mean is drawn. Source: Owen, Annals of Applied Statistics 1(2), 2007 (the
pigeonhole bootstrap of crossed samples).
"""

from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtrit

from nestbench.report.frames import groups
from nestbench.report.statistics.comparisons import grid
from nestbench.report.statistics.crossed import Array

ROUNDS = 2000

_ROUNDING = 1e-12


def bootstrap(tables: Array, rounds: int = ROUNDS) -> Array:
    """95 % intervals (2, ...) of the means of tables (..., seeds, subjects): their lower and upper ends.

    They are percentiles, further out where subjects are few: percentiles alone are those of a normal distribution whose
    variance is too small by one degree of freedom. Source: Hesterberg, The American Statistician 69(4), 2015.
    """
    *shape, seeds, subjects = tables.shape
    means = _means(tables.reshape(-1, seeds, subjects), rounds)
    reach = np.sqrt(subjects / (subjects - 1)) * -stdtrit(subjects - 1, 0.025)
    ends: Array = np.quantile(means, (ndtr(-reach), ndtr(reach)), axis=1)
    return ends.reshape(2, *shape)


def first_rank(panel: pd.DataFrame, rounds: int = ROUNDS) -> dict[str, float]:
    """How often each member of a panel has the highest mean when seeds and subjects are drawn again.

    ``panel`` has the scores of the members of one data set and encoder; all are drawn on the seeds and subjects that
    all of them have. Members with the same mean share the rank. NaN where fewer than two seeds or subjects are common.
    """
    tables = _common([grid(own) for _, own in groups(panel, "model")])
    names = [str(model) for model, _ in groups(panel, "model")]
    if min(tables.shape[1:]) < 2:
        return dict.fromkeys(names, float("nan"))
    return dict(zip(names, map(float, shares_of_first(tables, rounds)), strict=True))


def shares_of_first(tables: Array, rounds: int = ROUNDS) -> Array:
    """Share of draws in which each of the tables (tables, seeds, subjects) has the highest mean.

    That is no test: few seeds, drawn again, vary less than new ones. ``benchmarks/calibration.py`` counts how often a
    share is above .95 where networks do not differ.
    """
    means = _means(tables, rounds)
    top = means >= means.max(axis=0) - _ROUNDING
    shares: Array = (top / top.sum(axis=0)).mean(axis=1)
    return shares


def _common(tables: list[pd.DataFrame]) -> Array:
    """Tables (seeds, subjects) as one (tables, seeds, subjects), of the seeds and subjects that all have."""
    seeds = [seed for seed in tables[0].index if all(seed in table.index for table in tables)]
    subjects = pd.concat([table.loc[seeds] for table in tables], join="inner").dropna(axis="columns").columns
    return np.stack([table.loc[seeds, subjects].to_numpy() for table in tables])


def _means(tables: Array, rounds: int) -> Array:
    """Means (tables, rounds) of tables (tables, seeds, subjects), drawn alike for all of them."""
    _, seeds, subjects = tables.shape
    seed_weights, subject_weights = _weights(rounds, seeds, subjects)
    means: Array = np.einsum("rs,tsc,rc->tr", seed_weights, tables, subject_weights, optimize=True)
    return means


@lru_cache(maxsize=4)
def _weights(rounds: int, seeds: int, subjects: int) -> tuple[Array, Array]:
    """How often each seed and each subject was drawn, as shares: (rounds, seeds), (rounds, subjects).

    All tables of one size are drawn alike, so these are drawn once.
    """
    draw = np.random.default_rng(0)
    seed_weights = draw.multinomial(seeds, np.full(seeds, 1 / seeds), rounds) / seeds
    return seed_weights, draw.multinomial(subjects, np.full(subjects, 1 / subjects), rounds) / subjects
