"""The convolution blocks that networks are made of: H, and U with its resizing, in the words of the papers."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

Name = Literal["modern", "paper"]


class Block(NamedTuple):
    """How a node convolves (H) and how it brings up what is below it (U); both take channels in and out."""

    convolve: Callable[[int, int], nn.Module]
    up: Callable[[int, int], nn.Module]


def modern_convolve(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Two 3x3 convolutions, each with batch norm and ReLU; the first one carries the stride."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def paper_convolve(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with ReLU and dropout of one half, without normalisation (arXiv 1912.05074)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
    )


class ProjectedUp(nn.Module):
    """A 1x1 convolution at the coarse resolution, then nearest-neighbour resizing.

    The two commute, so projecting first gives the same values for a quarter of the work.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(inputs, outputs, 1)

    def forward(self, coarse: Tensor, size: torch.Size) -> Tensor:
        """Bring (N, C, h, w) to (N, C', H, W), where ``size`` is (H, W)."""
        return functional.interpolate(self.project(coarse), size=size, mode="nearest")


class TransposedUp(nn.Module):
    """The papers' 2x2 transposed convolution of stride 2; resized where the fine side is odd."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolve = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)

    def forward(self, coarse: Tensor, size: torch.Size) -> Tensor:
        """Bring (N, C, h, w) to (N, C', H, W), where ``size`` is (H, W)."""
        doubled: Tensor = self.convolve(coarse)
        return doubled if doubled.shape[-2:] == size else functional.interpolate(doubled, size=size, mode="nearest")


BLOCKS: dict[Name, Block] = {
    "modern": Block(modern_convolve, ProjectedUp),
    "paper": Block(paper_convolve, TransposedUp),
}


def initialise(module: nn.Module) -> None:
    """He-normal convolutions with zero biases, drawn from torch's global generator (for ``Module.apply``)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
