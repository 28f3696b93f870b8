"""Trained networks that are timed together, from a picture to its objects."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

from nestbench.datasets.feed import Feed
from nestbench.find import answers, apart
from nestbench.instances.ways import Way
from nestbench.machine import Plan
from nestbench.model import AnyNetwork
from nestbench.speed.networks import Timing, summed_up
from nestbench.speed.rounds import Pass, take_turns, warm_up


def measure_objects(
    found: Sequence[tuple[AnyNetwork, Way]],
    pictures: Sequence[Feed],
    plan: Plan,
    rounds: int,
    on_round: Callable[[int], None],
) -> list[Timing]:
    """Time each network and its way to objects on feeds of one picture each, which lie on the device; all see the same.

    Nothing is replayed: what a Mask R-CNN does follows what it finds, and all are to be compared.
    ``on_round`` as in ``measure``.
    """
    plan = replace(plan, replay=False)
    plan.enter()
    for model, _ in found:
        plan.place(model)
    passes = [_pass(model, way, pictures, plan) for model, way in found]
    warm_up(passes, lambda: on_round(0))
    return summed_up(take_turns(passes, rounds, on_round))


def _pass(model: AnyNetwork, way: Way, pictures: Sequence[Feed], plan: Plan) -> Pass:
    """The next picture's objects, on the CPU, so nothing is left to wait for."""
    turns = itertools.cycle(pictures)
    return lambda: [apart(answer, way) for answer in answers(model, next(turns), plan)]
