"""How many seeds and subjects a difference needs to be seen: the test that decides, on draws from what a pilot varied.

Mean squares of normal differences are independent and distributed as chi-squared, so they are drawn themselves, many
studies at once, and judged as a report's are. Holm's first step, the hardest, is what a difference must pass.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from nestbench.report.statistics.crossed import FEWEST_SEEDS, LEVEL, Moments, interval

STUDIES = 2000
"""Draws for each power: its standard error is at most 1.1 %."""

MOST_SEEDS, MOST_SUBJECTS = 100, 20_000
"""Beyond these nothing is planned."""


class Variation(NamedTuple):
    """Variances of the difference of two members (IoU from 0 to 1): of seeds, of subjects, and of the rest."""

    seed: float
    subject: float
    rest: float


def variation(comparisons: pd.DataFrame) -> Variation:
    """The variances behind uncorrected comparisons (``compare_members``), averaged over all that have a test.

    A variance that is estimated below zero is zero. NaN where no comparison has two seeds and two subjects.
    """
    tested = comparisons[comparisons["rest"].notna()]
    seed = ((tested["seed"] - tested["rest"]) / tested["subjects"]).mean()
    subject = ((tested["subject"] - tested["rest"]) / tested["seeds"]).mean()
    return Variation(float(np.maximum(seed, 0.0)), float(np.maximum(subject, 0.0)), float(tested["rest"].mean()))


def power(found: Variation, seeds: int, subjects: int, difference: float, comparisons: int) -> float:
    """Probability that a difference (IoU, 0 to 1) is called one, by a study with so many comparisons in its tables."""
    if seeds < FEWEST_SEEDS:
        return 0.0
    random, freedom = np.random.default_rng(0), ((seeds - 1), (subjects - 1), (seeds - 1) * (subjects - 1))
    expected = (found.rest + subjects * found.seed, found.rest + seeds * found.subject, found.rest)
    squares = (mean * random.chisquare(count, STUDIES) / count for mean, count in zip(expected, freedom, strict=True))
    error = np.sqrt((expected[0] + expected[1] - expected[2]) / (seeds * subjects))
    means = difference + error * random.standard_normal(STUDIES)
    counts = (np.full(STUDIES, float(count)) for count in (seeds, subjects))
    low, _ = interval(Moments(means, *squares, *counts), LEVEL / comparisons)
    return float(np.mean(low > 0))


def least(enough: Callable[[int], bool], first: int, most: int) -> int | None:
    """The least count from ``first`` to ``most`` that is enough, where every larger one is too; None where none is."""
    if not enough(most):
        return None
    low, high = first, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
