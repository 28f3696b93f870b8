"""The tests that readers know, which decide nothing here, and the correction for many of them, which does."""

import numpy as np
from scipy import stats

from nestbench.report.statistics.crossed import Array

_ROUNDING = 1e-12
"""Scores that differ by less are the same."""


def papers_test(first: Array, second: Array) -> float:
    """Two-sided p of the papers' independent two-sample t-test over seeds; NaN where the seeds do not vary."""
    if min(len(first), len(second)) < 2 or max(np.ptp(first), np.ptp(second)) < _ROUNDING:
        return float("nan")
    one, two = ((float(own.mean()), float(own.std(ddof=1)), len(own)) for own in (first, second))
    return float(stats.ttest_ind_from_stats(*one, *two).pvalue)


def wilcoxon(differences: Array) -> float:
    """Two-sided p of Wilcoxon's signed-rank test of one difference a subject; 1 where there is none."""
    if len(differences) < 2:
        return float("nan")
    return float(stats.wilcoxon(differences).pvalue) if np.abs(differences).max() > _ROUNDING else 1.0


def holm(p: Array) -> Array:
    """Values of p (..., comparisons), corrected by Holm's method over all of the last axis that are not NaN.

    Statsmodels has it for one family at a time, and collects garbage at each call; a calibration has thousands.
    """
    order = np.argsort(p, axis=-1)  # NaN last
    left = np.sum(~np.isnan(p), axis=-1, keepdims=True) - np.arange(p.shape[-1])
    ranked = np.maximum.accumulate(np.take_along_axis(p, order, axis=-1) * left, axis=-1)
    corrected = np.empty_like(ranked)
    np.put_along_axis(corrected, order, np.minimum(ranked, 1.0), axis=-1)
    return corrected
