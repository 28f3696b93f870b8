"""What a search tries next, and which trials it stops, by the names that a study file gives them.

Nothing here remembers anything. What is suggested is a function of the trials that ended before and of a seed, so a
search that was stopped goes on as it would have.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from cmaes import CMA
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning

from nestbench.study.schema import WHOLE, Search
from nestbench.study.space import Space, Span, axes

Values = dict[str, Any]
"""What a trial has for each key that is searched."""


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The searched space in Optuna's words, in an order that does not hang on the file's."""
    return {key: _distribution(key, space[key]) for key in sorted(space)}


def sampler(search: Search, seed: int) -> optuna.samplers.BaseSampler:
    """Optuna's sampler of that name; of those that ``planned`` stands for, one that is not asked."""
    if search.sampler == "tpe":
        return optuna.samplers.TPESampler(seed=seed)
    if search.sampler == "gp":
        return optuna.samplers.GPSampler(seed=seed)
    return optuna.samplers.RandomSampler(seed=seed)


def planned(search: Search, number: int, told: Sequence[tuple[Values, float]], seed: int) -> Values | None:
    """What the trial of that number tries where no sampler of Optuna says so: on a grid, or by CMA-ES; else None.

    Those two of Optuna note in each trial what comes next, and lose it with their store. Here a grid is counted through
    from its first point to its last, and an evolution is lived through again from ``told``: the values of the finished
    trials and what came of them, in the order of their numbers.
    """
    space = {key: search.space[key] for key in sorted(search.space)}
    if search.sampler == "grid":
        grid = axes(space, WHOLE)
        place = np.unravel_index(number, [len(axis) for axis in grid.values()])
        return {key: axis[int(at)] for (key, axis), at in zip(grid.items(), place, strict=True)}
    return _evolved(space, told, seed) if search.sampler == "cmaes" else None


def stopper(search: Search, epochs: int) -> optuna.pruners.BasePruner:
    """What ends a trial early, judged by the validation IoU of its epochs.

    ``median``: its best so far is below the median of what others had by then, from the sixth trial on and after a
    tenth of ``epochs``. ``hyperband``: the best third of a bracket goes on to three times as many epochs. ``wilcoxon``:
    epoch by epoch it is below the best trial so far, by the signed-rank test at p < 0.1. The epochs of one curve are
    no independent samples, so that p is a rule of thumb and no chance of error, and a trial that learns slowly at first
    is ended by it even if it were to overtake.
    """
    if search.stopper == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=epochs // 10)
    if search.stopper == "hyperband":
        return optuna.pruners.HyperbandPruner(max_resource=epochs)
    if search.stopper == "wilcoxon":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return optuna.pruners.WilcoxonPruner()
    return optuna.pruners.NopPruner()


def _distribution(key: str, span: Span | list[Any]) -> BaseDistribution:
    if not isinstance(span, Span):
        return CategoricalDistribution(span)
    if key in WHOLE:
        return IntDistribution(int(span.low), int(span.high), log=span.log)
    return FloatDistribution(span.low, span.high, log=span.log)


def _evolved(space: Space, told: Sequence[tuple[Values, float]], seed: int) -> Values:
    """CMA-ES over the ranges, each from 0 to 1; choices, which it cannot order, are drawn."""
    ranges = {key: span for key, span in space.items() if isinstance(span, Span)}
    middle = np.full(len(ranges), 0.5)
    evolution = CMA(middle, sigma=1 / 6, bounds=np.tile([0.0, 1.0], (len(ranges), 1)), seed=seed)
    size = evolution.population_size
    for first in range(0, len(told) - size + 1, size):
        generation = told[first : first + size]
        evolution.tell([(_placed(ranges, values), -value) for values, value in generation])
    drawn = np.random.default_rng(seed)
    chosen = {key: span[drawn.integers(len(span))] for key, span in space.items() if not isinstance(span, Span)}
    return chosen | {key: _value(key, ranges[key], float(at)) for key, at in zip(ranges, evolution.ask(), strict=True)}


def _placed(ranges: Mapping[str, Span], values: Values) -> NDArray[np.float64]:
    places = []
    for key, span in ranges.items():
        low, high = _ends(key, span)
        places.append(((math.log(values[key]) if span.log else values[key]) - low) / (high - low))
    return np.array(places)


def _value(key: str, span: Span, place: float) -> float:
    low, high = _ends(key, span)
    value = low + place * (high - low)
    inside = min(max(math.exp(value) if span.log else value, span.low), span.high)
    return round(inside) if key in WHOLE else inside


def _ends(key: str, span: Span) -> tuple[float, float]:
    """The ends of a range as it is searched; of whole numbers the first and the last are as wide as the others."""
    more = 0.5 if key in WHOLE else 0.0
    low, high = span.low - more, span.high + more
    return (math.log(low), math.log(high)) if span.log else (low, high)
