"""Networks that are timed together, as a study does for all of its own."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nestbench.engine import make_engine
from nestbench.machine import Plan
from nestbench.model import Spec, construct
from nestbench.speed.rounds import Seconds, network_pass, take_turns, warm_up


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one forward pass: median and quartiles over the rounds."""

    median_ms: float
    q25_ms: float
    q75_ms: float


def measure(
    specs: list[Spec], size: int, batch: int, plan: Plan, rounds: int, on_round: Callable[[int], None]
) -> list[Timing]:
    """Time each network on ``batch`` random images of ``size`` pixels a side under the plan, by torch.

    ``on_round`` gets the number of rounds that are done, 0 while the machine warms up. Weights are random: time does
    not depend on them.
    """
    plan.enter()
    passes = [network_pass(make_engine(construct(spec), plan), size, batch, plan) for spec in specs]
    warm_up(passes, lambda: on_round(0))
    return summed_up(take_turns(passes, rounds, on_round))


def summed_up(taken: Seconds) -> list[Timing]:
    """Median and quartiles of seconds (rounds, passes), a timing for each pass."""
    low, middle, high = np.percentile(1000 * taken, (25, 50, 75), axis=0)
    return [Timing(float(m), float(a), float(b)) for a, m, b in zip(low, middle, high, strict=True)]
