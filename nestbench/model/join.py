"""A block on joined feature maps: what training on them costs, in memory and time, is kept small."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from nestbench.machine.plan import CHANNELS_LAST


def on_joined(block: Callable[[Tensor], Tensor], parts: Sequence[Tensor]) -> Tensor:
    """Apply a block to feature maps (N, C, ...) that are concatenated along their channels.

    For the way back the parts are kept, which others keep anyway, and not what they are together: in UNet++ that would
    be nearly half of all that training holds.
    """
    # A compiler plans its own memory.
    if not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return block(torch.cat(list(parts), dim=1))
    parts = [_densely(part) for part in parts]
    joined = torch.cat(parts, dim=1)
    kept = _Parts(tuple(part.detach() for part in parts), tuple(part._version for part in parts))

    itself = weakref.ref(joined)  # torch keeps the hooks, and what they hold, until the way back

    def pack(saved: Tensor) -> "Tensor | _Parts":
        return kept if saved is itself() else saved

    with saved_tensors_hooks(pack, _unpack):
        return block(joined)


class _Parts(NamedTuple):
    """Feature maps, and how often each had been written to when they were joined."""

    values: tuple[Tensor, ...]
    versions: tuple[int, ...]


def _unpack(packed: "Tensor | _Parts") -> Tensor:
    if isinstance(packed, Tensor):
        return packed
    if packed.versions != tuple(part._version for part in packed.values):
        raise RuntimeError("a feature map was changed in place after it had been joined, so its gradients are lost")
    return torch.cat(packed.values, dim=1)


def _densely(part: Tensor) -> Tensor:
    last = CHANNELS_LAST[part.dim()]
    dense: Tensor = _Dense.apply(part, last) if part.is_contiguous(memory_format=last) else part
    return dense


class _Dense(torch.autograd.Function):
    """The identity, whose gradient is a block of memory of its own.

    The gradient of a concatenation is one wide tensor, of which each part gets a slice. With the channels last, a slice
    is many short pieces, and what is read by several nodes, as nearly all is in UNet++, adds such slices up: that takes
    several times as long as with dense ones, a few hundredths of a step (``benchmarks/training.py`` shows one with and
    one without).
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, layout: torch.memory_format) -> Tensor:
        ctx.layout = layout
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0].contiguous(memory_format=ctx.layout), None
