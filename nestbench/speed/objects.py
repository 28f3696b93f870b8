"""Trained networks that are timed together, from a picture to its objects."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

from nestbench.datasets.feed import Feed
from nestbench.find import answers, unsettled
from nestbench.machine import Plan
from nestbench.model import AnyNetwork
from nestbench.speed.networks import Timing, summed_up
from nestbench.speed.rounds import Pass, take_turns, warm_up


def measure_objects(
    found: Sequence[tuple[AnyNetwork, str]],
    pictures: Sequence[Feed],
    plan: Plan,
    rounds: int,
    on_round: Callable[[int], None],
) -> list[Timing]:
    """Time each network and output on feeds of one picture each, which lie on the device; all see the same ones.

    Nothing is replayed: what a Mask R-CNN does follows what it finds, and all are to be compared.
    ``on_round`` as in ``measure``.
    """
    plan = replace(plan, replay=False)
    plan.enter()
    for model, _ in found:
        plan.place(model)
    passes = [_pass(model, output, pictures, plan) for model, output in found]
    warm_up(passes, lambda: on_round(0))
    return summed_up(take_turns(passes, rounds, on_round))


def _pass(model: AnyNetwork, output: str, pictures: Sequence[Feed], plan: Plan) -> Pass:
    """The next picture's objects, on the CPU, so nothing is left to wait for."""
    turns, way = itertools.cycle(pictures), unsettled(model.spec, output)
    return lambda: [way(answer) for answer in answers(model, next(turns), plan)]
