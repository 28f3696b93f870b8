"""The most that this machine does: 3x3 convolutions of several shapes, by torch, in the plan's precision."""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from nestbench.machine import Plan, wait
from nestbench.speed.rounds import Pass, Seconds

SHAPES = ((64, 96), (128, 48), (256, 24))
"""Channels, and pixels a side: the work of each is the same."""
_BATCH = {"cpu": 4, "cuda": 512}


class Convolution(NamedTuple):
    """One pass, and its operations (two a multiply-add)."""

    work: Pass
    flops: int


def convolutions(plan: Plan) -> list[Convolution]:
    """The convolutions that take part in the rounds of the networks."""
    return [_convolution(channels, side, _BATCH[plan.device], plan) for channels, side in SHAPES]


def peak(taken: Seconds, flops: list[int]) -> float:
    """Operations a second of the fastest, by its median, from seconds (rounds, convolutions)."""
    return float((np.array(flops) / np.median(taken, axis=0)).max())


def _convolution(channels: int, side: int, batch: int, plan: Plan) -> Convolution:
    dtype = getattr(torch, plan.precision)
    layer = plan.place(nn.Conv2d(channels, channels, 3, padding=1, bias=False).to(dtype))
    images = plan.arrange(torch.randn(batch, channels, side, side, device=plan.device, dtype=dtype))

    @torch.inference_mode()
    def work() -> None:
        layer(images)
        wait(plan.device)

    return Convolution(work, 2 * 9 * channels**2 * side**2 * batch)
