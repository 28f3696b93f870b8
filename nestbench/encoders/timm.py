"""All of timm as one encoder plugin: ``timm:<name>``, e.g. ``timm:resnet18``."""

from functools import cache
from typing import Any

import timm
import torch
from torch import Tensor, nn

from nestbench.encoders.blocks import initialise, modern_convolve
from nestbench.errors import RequestError, unknown

STEM_WIDTH = 16


class Timm(nn.Module):
    """A timm model's features, with level i at stride 2^i whatever the model's own first stride.

    Levels finer than the model's first feature come from a small convolutional stem beside it, so that
    depth 4 means the same on every encoder and heads see the full resolution. Stages that ``depth`` does
    not need are not built.

    Raises RequestError for a name that timm does not know, and for a depth that the model cannot give.
    """

    def __init__(self, variant: str, depth: int, in_channels: int, pretrained: bool = False) -> None:
        super().__init__()
        taken = _features(variant, depth)
        missing = depth + 1 - len(taken)
        stem_channels = [STEM_WIDTH * 2**level for level in range(missing)]
        stem_inputs = [in_channels, *stem_channels]
        # Each level is drawn before the next is made, so that a shallower encoder starts as a part of a deeper one.
        self.stem = nn.ModuleList(
            modern_convolve(i, o, stride=1 if level == 0 else 2).apply(initialise)
            for level, (i, o) in enumerate(zip(stem_inputs, stem_channels, strict=False))
        )
        self.trunk = _create(variant, taken, in_channels, pretrained) if taken else None
        self.channels = (*stem_channels, *(_info(self.trunk).channels() if self.trunk else ()))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of (N, C, H, W) at strides 1, 2, 4, ..., finest first."""
        features: list[Tensor] = []
        for level in self.stem:
            features.append(level(features[-1] if features else image))
        return [*features, *self.trunk(image)] if self.trunk else features


def names(pattern: str = "") -> list[str]:
    """Names of timm's models that can give features, narrowed by a shell pattern such as ``*resnet*``."""
    return [str(n) for n in timm.list_models(pattern)]


def _info(trunk: nn.Module) -> Any:
    return trunk.feature_info


def _create(variant: str, taken: tuple[int, ...], in_channels: int, pretrained: bool) -> nn.Module:
    try:
        trunk: nn.Module = timm.create_model(
            variant, features_only=True, out_indices=taken, in_chans=in_channels, pretrained=pretrained
        )
    except OSError as error:
        raise RequestError(f"pretrained weights of 'timm:{variant}' cannot be fetched: {error}") from error
    return trunk


@cache
def _features(variant: str, depth: int) -> tuple[int, ...]:
    """Indices of the model's features that serve as levels, finest first; finer levels than these are missing."""
    if not variant or not timm.is_model(variant.partition(".")[0]):
        raise unknown("timm encoder", variant, timm.list_models())
    # timm counts a stage's stride only once the model is built; on the meta device that takes no memory.
    try:
        with torch.device("meta"):
            info = _info(timm.create_model(variant, features_only=True))
    except (RuntimeError, AttributeError, ValueError) as error:
        raise RequestError(f"timm encoder '{variant}' gives no features at several strides: {error}") from error
    last = {stride: index for index, stride in zip(info.out_indices, info.reduction(), strict=True)}
    finest = min(last)
    wanted = [2**level for level in range(depth + 1) if 2**level >= finest]
    if any(stride not in last for stride in wanted):
        strides = ", ".join(str(s) for s in sorted(last))
        raise RequestError(f"timm encoder '{variant}' cannot give depth {depth}: its features have strides {strides}")
    return tuple(last[stride] for stride in wanted)
