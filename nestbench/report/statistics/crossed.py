"""Whether a mean over crossed seeds and subjects differs from a number: the test that decides.

A network trained with another seed, and tested on another patient, gives another number; both are samples. The test
treats both as random and crossed. For the difference d of two members on the same seeds s and subjects c

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
``benchmarks/calibration.py`` measures what whole studies get of it.

Everything takes tables (..., seeds, subjects) and answers for all of them at once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import elementwise
from scipy.special import stdtrit

Array = NDArray[np.float64]

FEWEST_SEEDS = 3
"""Below these nothing is decided: with two, studies without a difference may claim one more often than they promise."""

LEVEL = 0.05
"""Probability of a false finding that is accepted, over all comparisons of a table."""

_SMALLEST = np.log(1e-100)


class Moments(NamedTuple):
    """All that the tests need of tables of differences, a value a table.

    Mean squares are NaN where there are fewer than two seeds or subjects.
    """

    mean: Array
    seed: Array
    """Mean square of the seeds."""
    subject: Array
    """Mean square of the subjects."""
    rest: Array
    """Mean square of what seeds and subjects do not explain."""
    seeds: Array
    subjects: Array


class Contrast(NamedTuple):
    """A mean difference, its 95 % interval, the statistic and its two-sided p; NaN where they cannot be had."""

    difference: Array
    low: Array
    high: Array
    t: Array
    p: Array


def moments(differences: Array) -> Moments:
    """Means and mean squares of tables (..., seeds, subjects) with one value a cell."""
    *_, seeds, subjects = differences.shape
    mean = np.asarray(differences.mean(axis=(-2, -1)))
    counts = np.full_like(mean, seeds), np.full_like(mean, subjects)
    if min(seeds, subjects) < 2:
        nothing = np.full_like(mean, np.nan)
        return Moments(mean, nothing, nothing, nothing, *counts)
    row = differences.mean(axis=-1) - mean[..., None]
    column = differences.mean(axis=-2) - mean[..., None]
    rest = differences - mean[..., None, None] - row[..., None] - column[..., None, :]
    return Moments(
        mean,
        subjects * np.sum(row**2, axis=-1) / (seeds - 1),
        seeds * np.sum(column**2, axis=-1) / (subjects - 1),
        np.sum(rest**2, axis=(-2, -1)) / ((seeds - 1) * (subjects - 1)),
        *counts,
    )


def stacked(found: Sequence[Moments]) -> Moments:
    """Moments of single tables, of whatever sizes, as one, so that all are judged at once."""
    return Moments(*(np.array(values, dtype=np.float64) for values in zip(*found, strict=True)))


def contrast(differences: Array) -> Contrast:
    """Test whether the mean of crossed differences (..., seeds, subjects) is zero.

    With one seed or one subject there is a difference but no test.
    """
    return judge(moments(differences))


def judge(found: Moments) -> Contrast:
    """What the moments say of the mean."""
    error, share = _error(found)
    t = _t(found.mean, error)
    return Contrast(found.mean, *interval(found), t, _two_sided(np.abs(t), share, found))


def interval(found: Moments, level: float = LEVEL) -> tuple[Array, Array]:
    """The interval of the mean at ``1 - level``."""
    error, share = _error(found)
    reach = _critical(level, share, *_freedom(found)) * error
    return found.mean - reach, found.mean + reach


def p_above(found: Moments, bound: float) -> Array:
    """One-sided p of the claim that the mean lies above ``bound``; NaN where there is no test."""
    error, share = _error(found)
    t = _t(found.mean - bound, error)
    half = _two_sided(np.abs(t), share, found) / 2
    return np.where(t > 0, half, 1 - half)


def p_within(found: Moments, margin: float) -> Array:
    """The p of the claim that the mean lies within ``margin`` on either side of zero: two one-sided tests (TOST).

    Source: Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987.
    """
    return np.maximum(p_above(found, -margin), p_above(found._replace(mean=-found.mean), -margin))


def decisive(p: Array, found: Moments) -> Array:
    """The values of p that may decide; NaN where there are fewer than FEWEST_SEEDS."""
    return np.where(found.seeds >= FEWEST_SEEDS, p, np.nan)


def lowest(found: Moments, level: float = LEVEL) -> Array:
    """The one-sided lower bound of the mean at ``1 - level``."""
    return interval(found, 2 * level)[0]


def _error(found: Moments) -> tuple[Array, Array]:
    """Standard error of the mean, and the share of it that the factor with fewer levels has.

    NaN where there is no test; 0 and 1 where nothing varies.
    """
    total = np.maximum(found.seed + found.subject - found.rest, np.maximum(found.seed, found.subject))
    few = np.where(found.seeds <= found.subjects, found.seed, found.subject)
    share = np.divide(few, total, out=np.ones_like(total), where=total > 0)
    return np.sqrt(total / (found.seeds * found.subjects)), share


def _t(distance: Array, error: Array) -> Array:
    """Distance in standard errors; infinite, or 0 for none, where there is no error."""
    certain = np.where(distance == 0, 0.0, np.copysign(np.inf, distance))
    return np.divide(distance, error, out=certain, where=error != 0)


def _freedom(found: Moments) -> tuple[Array, Array]:
    few, many = np.minimum(found.seeds, found.subjects), np.maximum(found.seeds, found.subjects)
    return few - 1, many - 1


def _critical(level: Array | float, share: Array, few: Array, many: Array) -> Array:
    at_few, at_many = (-stdtrit(freedom, np.asarray(level) / 2) for freedom in (few, many))
    return np.asarray(share * at_few + (1 - share) * at_many)


def _two_sided(t: Array, share: Array, found: Moments) -> Array:
    """Level at which ``t`` (not negative) is the critical value, found on a logarithmic scale; 0 below 1e-100."""
    here = share, *_freedom(found)
    inner = (t > 0) & (t < _critical(np.exp(_SMALLEST), *here))
    p = np.where(np.isnan(t), np.nan, np.where(t > 0, 0.0, 1.0))
    if inner.any():
        args = tuple(values[inner] for values in (*here, t))
        root = elementwise.find_root(lambda x, *at: _critical(np.exp(x), *at[:3]) - at[3], (_SMALLEST, 0.0), args=args)
        p[inner] = np.exp(root.x)
    return p
