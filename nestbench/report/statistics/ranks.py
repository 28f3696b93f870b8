"""Ranks of networks over several data sets: Friedman's test, and the differences that count by Nemenyi's.

Source: Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7, 2006.
"""

import numpy as np
import pandas as pd
from scikit_posthocs import posthoc_nemenyi_friedman
from scipy import stats

from nestbench.report.statistics.crossed import LEVEL

FEWEST = 3
"""Members, and data sets, from which Friedman's test is made."""


def ranks(scores: pd.DataFrame) -> pd.DataFrame:
    """The critical-difference diagram as a table: one row a member, the best first; empty below FEWEST of either.

    ``scores`` has one row per cell, seed and case. A data set counts once: the mean over its subjects, seeds and
    encoders. Only members and data sets without a gap are ranked. The columns:

    ``model``; ``rank``, its mean over data sets (1 is the best); ``datasets``, how many; ``friedman``, the p of all
    members being alike; ``critical``, by how much two mean ranks must differ at 5 %, or NaN where Friedman's test finds
    nothing: then nobody is told apart; ``group``, letters of the sets of members that are not separable, so two members
    without a letter in common are told apart (a diagram draws one bar a letter).
    """
    means = _means(scores)
    count, members = means.shape
    if min(count, members) < FEWEST:
        return pd.DataFrame()
    order = means.rank(axis="columns", ascending=False).mean().sort_values(kind="stable")
    friedman = float(stats.friedmanchisquare(*means.to_numpy().T).pvalue)
    apart = posthoc_nemenyi_friedman(means).loc[order.index, order.index] < LEVEL
    if not friedman < LEVEL:
        apart = apart & False
    return pd.DataFrame(
        {
            "model": order.index,
            "rank": order.to_numpy(),
            "datasets": count,
            "friedman": friedman,
            "critical": critical_difference(members, count) if friedman < LEVEL else np.nan,
            "group": _letters(apart.to_numpy()),
        }
    )


def critical_difference(members: int, datasets: int) -> float:
    """By how much mean ranks must differ for p < .05 by Nemenyi's test."""
    quantile = stats.studentized_range.isf(LEVEL, members, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(members * (members + 1) / (6 * datasets)))


def _means(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a data set, one column a member, only those without a gap."""
    subjects = scores.groupby(["dataset", "encoder", "model", "seed", "subject"], sort=False)["iou"].mean()
    cells = subjects.groupby(["dataset", "encoder", "model"], sort=False).mean()
    complete = cells.unstack("model").dropna(axis="columns")  # noqa: PD010 (levels, not a pivot)
    return complete.groupby("dataset", sort=False).mean()


def _letters(apart: np.ndarray) -> list[str]:
    """Letters of the largest runs of neighbours, in the order of their ranks, of which none are apart."""
    count = len(apart)
    ends = [max(j for j in range(i, count) if not apart[i, i : j + 1].any()) for i in range(count)]
    runs = [(i, end) for i, end in enumerate(ends) if i == 0 or end > ends[i - 1]]
    names = [chr(ord("a") + number) for number in range(len(runs))]
    return ["".join(n for n, (i, j) in zip(names, runs, strict=True) if i <= k <= j) for k in range(count)]
