"""Timing networks that exist: each pruned depth is built and run, never estimated."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from nestbench.machine import Plan
from nestbench.model import AnyNetwork, Spec, construct

WARM_UP = 3


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one forward pass: median and quartiles over the rounds."""

    median_ms: float
    q25_ms: float
    q75_ms: float


def measure(
    specs: list[Spec], size: int, batch: int, plan: Plan, rounds: int, on_round: Callable[[int], None]
) -> list[Timing]:
    """Time each network on ``batch`` random images of ``size`` pixels a side under the plan.

    All networks take part in every round, one pass each, so that a slow moment of the machine meets them alike and
    the ratios between them hold. Weights are random: time does not depend on them.
    """
    plan.enter()
    networks = [_network(spec, plan) for spec in specs]
    images = [plan.arrange(_images(spec, size, batch, plan)) for spec in specs]
    taken = np.zeros((rounds, len(specs)))
    for index in range(-WARM_UP, rounds):
        for column, (network, image) in enumerate(zip(networks, images, strict=True)):
            seconds = _pass(network, image, plan)
            if index >= 0:
                taken[index, column] = seconds * 1000
        on_round(max(index + 1, 0))
    low, middle, high = np.percentile(taken, (25, 50, 75), axis=0)
    return [Timing(float(m), float(a), float(b)) for a, m, b in zip(low, middle, high, strict=True)]


def _network(spec: Spec, plan: Plan) -> AnyNetwork:
    network = construct(spec)
    plan.place(network)
    return network.eval()


def _images(spec: Spec, size: int, batch: int, plan: Plan) -> torch.Tensor:
    return torch.randn(batch, spec.in_channels, *(size,) * spec.dims, device=plan.device)


@torch.inference_mode()
def _pass(network: AnyNetwork, image: torch.Tensor, plan: Plan) -> float:
    _wait(plan)
    start = time.perf_counter()
    with plan.autocast():
        network(image)
    _wait(plan)
    return time.perf_counter() - start


def _wait(plan: Plan) -> None:
    if plan.device == "cuda":
        torch.cuda.synchronize()
