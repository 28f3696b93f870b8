"""How long a training step takes in each precision and memory format: a small network, all of them in turns."""

import math
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from nestbench.machine.device import wait
from nestbench.machine.plan import MemoryFormat, Plan, Precision

Way = tuple[Precision, MemoryFormat]
Step = Callable[[int], float]
"""One training step on so many images; its seconds."""

PLAIN: Way = ("float32", "contiguous")
WAYS: tuple[Way, ...] = (PLAIN, ("float32", "channels-last"), ("bfloat16", "contiguous"), ("bfloat16", "channels-last"))

CHANNELS = (16, 32, 64, 32)
"""From block to block: those of a decoder's finest levels, where nested networks spend their time."""

BUDGET = 2.0
"""Seconds of counted rounds."""

_LEAST = 3

# Images of a step and pixels a side: a GPU must compute for longer than it is being started.
_SHAPES = {"cpu": (4, 64), "cuda": (32, 128)}

# Seconds of one image. Not for a GPU: it loads its kernels with the first one, and is slow in none of the ways.
_SLOW = {"cpu": 0.25, "cuda": math.inf}


def time_ways(device: str, threads: int, budget: float = BUDGET) -> dict[Way, list[float]]:
    """Seconds of each way's training steps, in rounds that all take part in until ``budget`` seconds are spent.

    One round warms up and three are always counted. A processor without instructions for bfloat16 may take minutes: a
    way whose first image takes a quarter of a second, and four times as long as in plain float32, has no round, and
    its one time is that image's, times the images of a step.
    """
    batch, size = _SHAPES[device]
    with torch.random.fork_rng(devices=[]):
        steps = {way: _step(Plan(device, *way, threads), batch, size) for way in WAYS}
    Plan(device, *PLAIN, threads).enter()
    steps[PLAIN](1)  # starts the device and the threads
    first = {way: step(1) for way, step in steps.items()}
    quick = {way: step for way, step in steps.items() if first[way] < max(_SLOW[device], 4 * first[PLAIN])}
    taken = _take_turns(quick, batch, budget)
    return {way: taken.get(way, [first[way] * batch]) for way in WAYS}


def _take_turns(steps: dict[Way, Step], batch: int, budget: float) -> dict[Way, list[float]]:
    for step in steps.values():
        step(batch)
    rounds: list[list[float]] = []
    start = time.perf_counter()
    while len(rounds) < _LEAST or time.perf_counter() - start < budget:
        rounds.append([step(batch) for step in steps.values()])
    return dict(zip(steps, map(list, zip(*rounds, strict=True)), strict=True))


def _step(plan: Plan, batch: int, size: int) -> Step:
    network = plan.place(_network())
    images = plan.arrange(torch.randn(batch, CHANNELS[0], size, size).to(plan.device))

    def seconds(count: int) -> float:
        network.zero_grad(set_to_none=True)
        wait(plan.device)
        start = time.perf_counter()
        with plan.autocast():
            output = network(images[:count])
        torch.autograd.backward(output.float().square().mean())
        wait(plan.device)
        return time.perf_counter() - start

    return seconds


def _network() -> nn.Sequential:
    blocks = [
        nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
        for before, after in pairwise(CHANNELS)
    ]
    return nn.Sequential(*blocks)
