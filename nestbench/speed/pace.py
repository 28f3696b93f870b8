"""From seconds of rounds to what is said of them: percentiles, images a second, ratios with their intervals."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nestbench.speed.rounds import Seconds

PERCENTILES = (5, 50, 95, 99)

_SAMPLES = 2000
_SEED = 0


@dataclass(frozen=True)
class Ratio:
    """A ratio of medians, or of means, and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Pace:
    """How fast one network is."""

    rounds: int
    milliseconds: dict[int, float | None]
    """Percentiles of one pass; None for one that so few rounds do not tell."""
    images_per_second: float
    ratio: Ratio
    """Of its time to the reference's."""

    @property
    def median(self) -> float:
        """Milliseconds of one pass."""
        middle = self.milliseconds[50]
        assert middle is not None, "one round has a median"
        return middle


def paces(taken: Seconds, images: int, reference: int) -> list[Pace]:
    """The pace of each pass from seconds (rounds, passes); one takes ``images``, and one of them is the reference."""
    columns = zip(taken.T, ratios(taken, reference), strict=True)
    return [Pace(len(taken), percentiles(own), images / float(np.median(own)), ratio) for own, ratio in columns]


def percentiles(seconds: Seconds) -> dict[int, float | None]:
    """Milliseconds; None where not even one round lies beyond a percentile."""
    known = {p: len(seconds) * min(p, 100 - p) >= 100 or p == 50 for p in PERCENTILES}
    return {p: 1000 * float(np.percentile(seconds, p)) if known[p] else None for p in PERCENTILES}


def ratios(taken: Seconds, reference: int, middle: Callable[..., Seconds] = np.median) -> list[Ratio]:
    """Each pass's median, or another middle such as ``numpy.mean``, to the reference's, from seconds (rounds, passes).

    The interval is a bootstrap over rounds, which keeps together what was measured together.
    """
    chosen = np.random.default_rng(_SEED).integers(0, len(taken), (_SAMPLES, len(taken)))
    drawn = np.stack([middle(column[chosen], axis=1) for column in taken.T], axis=1)
    low, high = np.percentile(drawn / drawn[:, [reference]], (2.5, 97.5), axis=0)
    whole = middle(taken, axis=0)
    values = whole / whole[reference]
    return [Ratio(float(v), float(a), float(b)) for v, a, b in zip(values, low, high, strict=True)]
