"""How long a training step takes in each precision and memory format: a small network, all of them in turns."""

import math
import time
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nestbench.machine.device import wait
from nestbench.machine.plan import MemoryFormat, Plan, Precision


class Way(NamedTuple):
    """How a step is computed."""

    precision: Precision
    memory_format: MemoryFormat
    replay: bool = False
    """Recorded and replayed (``machine.replay``)."""

    def plan(self, device: str, threads: int) -> Plan:
        """The plan that computes so."""
        return Plan(device, self.precision, self.memory_format, threads, self.replay)


Step = Callable[[int], float]
"""One training step on so many images; its seconds."""

PLAIN = Way("float32", "contiguous")
EAGER = (PLAIN, Way("float32", "channels-last"), Way("bfloat16", "contiguous"), Way("bfloat16", "channels-last"))
WAYS: dict[str, tuple[Way, ...]] = {"cpu": EAGER, "cuda": EAGER + tuple(way._replace(replay=True) for way in EAGER)}
"""By device, from the plainest on."""

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

    Two rounds warm up and three are always counted. A processor without instructions for bfloat16 may take minutes: a
    way whose first image takes a quarter of a second, and four times as long as in plain float32, has no round, and
    its one time is that image's, times the images of a step.
    """
    batch, size = _SHAPES[device]
    with torch.random.fork_rng(devices=[]):
        steps = {way: _step(way.plan(device, threads), batch, size) for way in WAYS[device]}
    PLAIN.plan(device, threads).enter()
    steps[PLAIN](1)  # starts the device and the threads
    first = {way: step(1) for way, step in steps.items()}
    quick = {way: step for way, step in steps.items() if first[way] < max(_SLOW[device], 4 * first[PLAIN])}
    taken = _take_turns(quick, batch, budget)
    return {way: taken.get(way, [first[way] * batch]) for way in steps}


def _take_turns(steps: dict[Way, Step], batch: int, budget: float) -> dict[Way, list[float]]:
    for step in (*steps.values(), *steps.values()):  # what is replayed is recorded when it comes again
        step(batch)
    rounds: list[list[float]] = []
    start = time.perf_counter()
    while len(rounds) < _LEAST or time.perf_counter() - start < budget:
        rounds.append([step(batch) for step in steps.values()])
    return dict(zip(steps, map(list, zip(*rounds, strict=True)), strict=True))


def _step(plan: Plan, batch: int, size: int) -> Step:
    network = plan.place(_network())
    images = plan.arrange(torch.randn(batch, CHANNELS[0], size, size).to(plan.device))

    def step(some: Tensor) -> tuple[Tensor, ...]:
        with plan.autocast():
            output = network(plan.arrange(some))
        loss = output.float().square().mean()
        torch.autograd.backward(loss)
        return (loss.detach(),)

    work = plan.often(network, step)

    def seconds(count: int) -> float:
        network.zero_grad(set_to_none=True)
        wait(plan.device)
        start = time.perf_counter()
        work(images[:count])
        wait(plan.device)
        return time.perf_counter() - start

    return seconds


def _network() -> nn.Sequential:
    blocks = [
        nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
        for before, after in pairwise(CHANNELS)
    ]
    return nn.Sequential(*blocks)
