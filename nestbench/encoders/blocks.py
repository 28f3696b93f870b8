"""The convolution blocks that networks are made of: H, and U with its resizing, in the words of the papers."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

Name = Literal["modern", "paper"]
Dims = Literal[2, 3]

CONVOLUTION: dict[Dims, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED: dict[Dims, type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]] = {
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
_NORM: dict[Dims, type[nn.BatchNorm2d] | type[nn.BatchNorm3d]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class Block(NamedTuple):
    """How a node convolves (H) and how it brings up what is below it (U); both take channels in and out, and dims."""

    convolve: Callable[[int, int, Dims], nn.Module]
    up: Callable[[int, int, Dims], nn.Module]


def modern_convolve(inputs: int, outputs: int, dims: Dims = 2, stride: int = 1) -> nn.Sequential:
    """Two convolutions of 3 a side, each with batch norm and ReLU; the first one carries the stride."""
    convolution, norm = CONVOLUTION[dims], _NORM[dims]
    return nn.Sequential(
        convolution(inputs, outputs, 3, stride, padding=1, bias=False),
        norm(outputs),
        nn.ReLU(inplace=True),
        convolution(outputs, outputs, 3, padding=1, bias=False),
        norm(outputs),
        nn.ReLU(inplace=True),
    )


def paper_convolve(inputs: int, outputs: int, dims: Dims = 2) -> nn.Sequential:
    """Two convolutions of 3 a side, each with ReLU and dropout of one half, not normalised (arXiv 1912.05074)."""
    convolution = CONVOLUTION[dims]
    return nn.Sequential(
        convolution(inputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        convolution(outputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
    )


class ProjectedUp(nn.Module):
    """A convolution of 1 a side at the coarse resolution, then nearest-neighbour resizing.

    The two commute, so projecting first gives the same values for a fraction of the work.
    """

    def __init__(self, inputs: int, outputs: int, dims: Dims = 2) -> None:
        super().__init__()
        self.project = CONVOLUTION[dims](inputs, outputs, 1)

    def forward(self, coarse: Tensor, size: torch.Size) -> Tensor:
        """Bring (N, C, *coarse) to (N, C', *size)."""
        return functional.interpolate(self.project(coarse), size=size, mode="nearest")


class TransposedUp(nn.Module):
    """The papers' transposed convolution of 2 a side and stride 2; resized where the fine side is odd."""

    def __init__(self, inputs: int, outputs: int, dims: Dims = 2) -> None:
        super().__init__()
        self.convolve = _TRANSPOSED[dims](inputs, outputs, 2, stride=2)

    def forward(self, coarse: Tensor, size: torch.Size) -> Tensor:
        """Bring (N, C, *coarse) to (N, C', *size)."""
        doubled: Tensor = self.convolve(coarse)
        # A compiler would take the answer to this question for a law of every size.
        if not torch.compiler.is_compiling() and doubled.shape[2:] == size:
            return doubled
        return functional.interpolate(doubled, size=size, mode="nearest")


BLOCKS: dict[Name, Block] = {
    "modern": Block(modern_convolve, ProjectedUp),
    "paper": Block(paper_convolve, TransposedUp),
}


def initialise(module: nn.Module) -> None:
    """He-normal convolutions with zero biases, drawn from torch's global generator (for ``Module.apply``)."""
    if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
