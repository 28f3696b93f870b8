"""What comes from below a node, convolved before it is made larger.

Nearest-neighbour doubling, then a 3x3 convolution, reads each coarse pixel through a window of 4x4 with steps of 2: a
transposed convolution with sums of the 3x3 weights gives the same values, at the border too, for 4 multiply-adds
instead of 9, and nothing large is made of the coarse map. A convolution is linear, so what the node reads beside is
convolved by itself and added. Only rounding differs. On a CPU this is a tenth of a training step
(``benchmarks/training.py``); on a GPU it would be more and smaller kernels.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from nestbench.encoders.blocks import ProjectedUp
from nestbench.model.join import on_joined


def on_raised(block: nn.Module, up: nn.Module, below: Tensor, skips: Sequence[Tensor]) -> Tensor:
    """Apply a node's block to its skips (N, C, ...) and, before them, what is below it, brought up to their size."""
    if isinstance(block, nn.Sequential) and _folds(up, below, skips[0]):
        first, *rest = block
        value = _folded(cast(nn.Conv2d, first), cast(ProjectedUp, up).project(below), skips)
        for layer in rest:
            value = layer(value)
        return value
    return on_joined(block, [up(below, skips[0].shape[2:]), *skips])


def _folds(up: nn.Module, below: Tensor, skip: Tensor) -> bool:
    """Where it pays, and is the same: on a CPU, where both sides double. A compiler sees the plain network."""
    return (
        not torch.compiler.is_compiling()  # which would take the answers to what follows for laws of every size
        and isinstance(up, ProjectedUp)
        and skip.device.type == "cpu"
        and skip.dim() == 4
        and all(2 * coarse == fine for coarse, fine in zip(below.shape[2:], skip.shape[2:], strict=True))
    )


def _folded(convolution: nn.Conv2d, coarse: Tensor, skips: Sequence[Tensor]) -> Tensor:
    raised, beside = convolution.weight[:, : coarse.shape[1]], convolution.weight[:, coarse.shape[1] :]
    value = on_joined(lambda joined: functional.conv2d(joined, beside, convolution.bias, padding=1), skips)
    return value + functional.conv_transpose2d(coarse, doubling(raised), stride=2, padding=1)


def doubling(weight: Tensor) -> Tensor:
    """Weights (I, O, 4, 4) of the transposed convolution that doubles by nearest neighbours, then convolves.

    Those of the 3x3 convolution are (O, I, 3, 3).
    """
    flipped = weight.flip(2, 3).transpose(0, 1)
    return sum((functional.pad(flipped, (x, 1 - x, y, 1 - y)) for x in (0, 1) for y in (0, 1)), torch.zeros(()))
