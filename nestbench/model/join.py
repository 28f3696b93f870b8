"""Joining feature maps along their channels, with gradients that are cheap to add up."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def join(parts: Sequence[Tensor]) -> Tensor:
    """Concatenate feature maps (N, C, ...) along their channels."""
    # A compiler plans its own memory.
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        parts = [_densely(part) for part in parts]
    return torch.cat(list(parts), dim=1)


def _densely(part: Tensor) -> Tensor:
    last = _CHANNELS_LAST[part.dim()]
    dense: Tensor = _Dense.apply(part, last) if part.is_contiguous(memory_format=last) else part
    return dense


class _Dense(torch.autograd.Function):
    """The identity, whose gradient is a block of its own.

    The gradient of a concatenation is one wide tensor, of which each part gets a slice. With the channels last, a slice
    is many short pieces, and what is read by several nodes, as nearly all is in UNet++, adds such slices up: several
    times slower than blocks (``benchmarks/training.py`` shows the step with and without).
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, layout: torch.memory_format) -> Tensor:
        ctx.layout = layout
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0].contiguous(memory_format=ctx.layout), None
