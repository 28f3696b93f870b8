"""The one way in which anything is timed: passes take turns in every round, so that a slow moment meets them alike."""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from nestbench.engine import Engine
from nestbench.machine import Plan, wait
from nestbench.model import Spec

Pass = Callable[[], object]
"""What is timed: it returns when its work is done, on the device too."""
Clock = Callable[[], float]
Seconds = NDArray[np.float64]

STEADY = 3
"""Rounds whose medians are held against those of as many rounds before."""
TOLERANCE = 0.05
MOST_ROUNDS, MOST_SECONDS = 12, 10.0
"""A warm-up ends here, at so many seconds of each pass on average, where the machine does not come to rest."""


def network_pass(engine: Engine, size: int, batch: int, plan: Plan) -> Pass:
    """One forward pass on ``batch`` random images of ``size`` pixels a side that lie on the device already."""
    images = plan.arrange(torch.randn(image_shape(engine.spec, size, batch), device=engine.device))

    def work() -> None:
        engine.logits(images)
        wait(engine.device)

    return work


def image_shape(spec: Spec, size: int, batch: int) -> tuple[int, ...]:
    """(N, C, H, W), or (N, C, D, H, W), of a batch."""
    return (batch, spec.in_channels, *(size,) * spec.dims)


def warm_up(passes: Sequence[Pass], on_round: Callable[[], None], clock: Clock = time.perf_counter) -> float:
    """Run rounds until their times are steady; the seconds of such a round."""
    taken: list[list[float]] = []
    while not steady(np.array(taken)):
        taken.append([_timed(one, clock) for one in passes])
        on_round()
    return float(np.median(np.sum(taken[-STEADY:], axis=1)))


def steady(taken: Seconds) -> bool:
    """Whether rounds (rounds, passes) so far show that the times of no pass still change, or that it will not end."""
    if len(taken) < 2:
        return False
    if len(taken) >= MOST_ROUNDS or taken.sum() >= MOST_SECONDS * taken.shape[1]:
        return True
    if len(taken) < 2 * STEADY:
        return False
    before, now = (np.median(part, axis=0) for part in (taken[-2 * STEADY : -STEADY], taken[-STEADY:]))
    return bool((np.abs(now - before) <= TOLERANCE * before).all())


def take_turns(
    passes: Sequence[Pass], rounds: int, on_round: Callable[[int], None], clock: Clock = time.perf_counter
) -> Seconds:
    """Seconds of each pass in each round: (rounds, passes). Each round begins with the next one of them."""
    taken = np.zeros((rounds, len(passes)))
    for index in range(rounds):
        for place in range(len(passes)):
            column = (index + place) % len(passes)
            taken[index, column] = _timed(passes[column], clock)
        on_round(index + 1)
    return taken


def _timed(one: Pass, clock: Clock) -> float:
    start = clock()
    one()
    return clock() - start
