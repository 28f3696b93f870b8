"""Whether a difference is one: stateless functions from tables to tables.

A network trained with another seed, and tested on another patient, gives another number; both are samples. The test
that decides treats both as random and crossed. For the difference d of two members on the same seeds s and subjects c

    d_sc = mean + seed_s + subject_c + rest_sc,
    Var(mean) = (MS_seed + MS_subject - MS_rest) / (S C)

which is the quasi-F for two crossed random factors (Winer, Statistical Principles in Experimental Design, 1971; Clark,
Journal of Verbal Learning and Verbal Behavior 12, 1973). The subtraction can underestimate by chance, so the sum is
never taken below the larger of MS_seed and MS_subject.

The statistic has no exact distribution. Satterthwaite's degrees of freedom, estimated from as few as three seeds, are
too generous: in simulations up to 8 % false findings at the level .05, and at .005, where Holm's correction works, five
times as many as promised. Cochran's critical value is used instead: the mean of the t quantiles of the two factors,
each weighted by its share of the variance (Cochran and Cox, Experimental Designs, 1957). The factor with fewer levels
is weighted by the whole of its mean square. It keeps both levels from three seeds on; with two, .005 becomes .015.
"""

from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, stats
from scipy.special import stdtrit
from statsmodels.stats.multitest import multipletests

from nestbench.report.frames import CELL, PANEL, groups

Array = NDArray[np.float64]
Verdict = Literal["better", "worse", "not separable"]

LEVEL = 0.05
"""Probability of a false finding that is accepted, over all comparisons of a data set."""

_ROUNDING = 1e-12
"""Scores that differ by less are the same."""


class Contrast(NamedTuple):
    """A mean difference, its 95 % interval, the statistic and its two-sided p; NaN where they cannot be had."""

    difference: float
    low: float
    high: float
    t: float
    p: float


def grid(scores: pd.DataFrame, metric: str = "iou") -> pd.DataFrame:
    """Scores of one member as a table of seeds by subjects, a subject's cases averaged first."""
    return scores.pivot_table(index="seed", columns="subject", values=metric, aggfunc="mean")


def contrast(differences: Array) -> Contrast:
    """Test whether the mean of crossed differences (seeds, subjects) is zero.

    With one seed or one subject there is a difference but no test.
    """
    seeds, subjects = differences.shape
    mean = float(differences.mean())
    if min(seeds, subjects) < 2:
        return Contrast(mean, np.nan, np.nan, np.nan, np.nan)
    by_seed, by_subject, rest = mean_squares(differences)
    total = max(by_seed + by_subject - rest, by_seed, by_subject)
    error = float(np.sqrt(total / differences.size))
    if error == 0:
        return Contrast(mean, mean, mean, np.inf if mean else 0.0, 0.0 if mean else 1.0)
    few = by_seed if seeds <= subjects else by_subject
    share, freedom = few / total, (min(seeds, subjects) - 1, max(seeds, subjects) - 1)
    reach = _critical(LEVEL, share, freedom) * error
    return Contrast(mean, mean - reach, mean + reach, mean / error, _p_value(abs(mean) / error, share, freedom))


def mean_squares(differences: Array) -> tuple[float, float, float]:
    """Mean squares of the rows (seeds), the columns (subjects) and the rest of a table with one value a cell."""
    rows, columns = differences.shape
    mean = differences.mean()
    row, column = differences.mean(axis=1), differences.mean(axis=0)
    rest = differences - row[:, None] - column[None, :] + mean
    return (
        float(columns * np.sum((row - mean) ** 2) / (rows - 1)),
        float(rows * np.sum((column - mean) ** 2) / (columns - 1)),
        float(np.sum(rest**2) / ((rows - 1) * (columns - 1))),
    )


def compare_members(scores: pd.DataFrame, metric: str = "iou") -> pd.DataFrame:
    """Compare every two members of the same data set and encoder, corrected over all comparisons of the data set.

    ``scores`` has one row per cell, seed and case. ``difference`` is ``model`` minus ``against``, of the metric.
    """
    rows = []
    for (dataset, encoder), panel in groups(scores, PANEL):
        tables = {model: grid(own, metric) for model, own in groups(panel, "model")}
        for against, model in combinations(tables, 2):
            names = {"dataset": dataset, "encoder": encoder, "model": model, "against": against}
            rows.append(names | _paired(tables[model], tables[against]))
    return _corrected(pd.DataFrame(rows))


def compare_depths(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare each head of each deeply supervised member with the member's ensemble, corrected likewise."""
    rows = []
    for key, member in groups(scores, CELL):
        tables = {output: grid(own) for output, own in groups(member, "output")}
        for output in tables if "ensemble" in tables else ():
            if output != "ensemble":
                names = dict(zip(CELL, key, strict=True)) | {"output": output}
                rows.append(names | _paired(tables[output], tables["ensemble"]))
    return _corrected(pd.DataFrame(rows))


def verdict(comparisons: pd.DataFrame, dataset: str, encoder: str, model: str, against: str) -> Verdict:
    """What the tests say of ``model`` against another member, whichever way round the comparison was made."""
    if comparisons.empty:
        return "not separable"
    here = comparisons[(comparisons["dataset"] == dataset) & (comparisons["encoder"] == encoder)]
    for first, second, sign in ((model, against, 1), (against, model, -1)):
        row = here[(here["model"] == first) & (here["against"] == second)]
        if len(row):
            return _verdict(sign * float(row["difference"].iloc[0]), float(row["p_holm"].iloc[0]))
    return "not separable"


def papers_test(first: Array, second: Array) -> float:
    """Two-sided p of the papers' independent two-sample t-test over seeds; NaN where the seeds do not vary."""
    if min(len(first), len(second)) < 2 or max(np.ptp(first), np.ptp(second)) < _ROUNDING:
        return float("nan")
    one, two = ((float(own.mean()), float(own.std(ddof=1)), len(own)) for own in (first, second))
    return float(stats.ttest_ind_from_stats(*one, *two).pvalue)


def bootstrap(table: Array, rounds: int = 2000) -> tuple[float, float]:
    """95 % percentile interval of the mean of a table (seeds, subjects), both drawn again with replacement.

    Source: Owen, Annals of Applied Statistics 1(2), 2007 (the pigeonhole bootstrap of crossed samples).
    """
    seeds, subjects = table.shape
    draw = np.random.default_rng(0)
    seed_weights = draw.multinomial(seeds, np.full(seeds, 1 / seeds), rounds) / seeds
    subject_weights = draw.multinomial(subjects, np.full(subjects, 1 / subjects), rounds) / subjects
    means = np.einsum("rs,sc,rc->r", seed_weights, table, subject_weights, optimize=True)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _paired(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, object]:
    differences = (first - second).dropna(how="all").dropna(axis="columns")
    seeds, subjects = differences.shape
    found = contrast(differences.to_numpy()) if differences.size else Contrast(*[np.nan] * 5)
    lacking = "seed" if seeds < 2 else "subject" if subjects < 2 else ""
    reason = f"fewer than two {lacking}s in common" if lacking else ""
    p_paper = papers_test(first.mean(axis=1).to_numpy(), second.mean(axis=1).to_numpy())
    return {"seeds": seeds, "subjects": subjects, **found._asdict(), "p_paper": p_paper, "reason": reason}


def _corrected(comparisons: pd.DataFrame) -> pd.DataFrame:
    if comparisons.empty:
        return comparisons
    p_holm = comparisons.groupby("dataset", sort=False)["p"].transform(_holm)
    words = [_verdict(d, p) for d, p in zip(comparisons["difference"], p_holm, strict=True)]
    return comparisons.assign(p_holm=p_holm, verdict=words)


def _holm(p: pd.Series) -> pd.Series:
    corrected, tested = p.copy(), p.notna()
    if tested.any():
        corrected[tested] = multipletests(p[tested].to_numpy(), LEVEL, method="holm")[1]
    return corrected


def _verdict(difference: float, p: float) -> Verdict:
    if not p < LEVEL:
        return "not separable"
    return "better" if difference > 0 else "worse"


def _critical(level: float, share: float, freedom: tuple[int, int]) -> float:
    few, many = -stdtrit(freedom, level / 2)
    return float(share * few + (1 - share) * many)


def _p_value(t: float, share: float, freedom: tuple[int, int]) -> float:
    """Level at which ``t`` is the critical value, found on a logarithmic scale."""
    if t == 0:
        return 1.0
    smallest = np.log(1e-100)
    if _critical(1e-100, share, freedom) < t:
        return 0.0
    return float(np.exp(optimize.brentq(lambda x: _critical(np.exp(x), share, freedom) - t, smallest, 0.0)))
