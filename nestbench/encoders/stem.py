"""The fine levels that an encoder from elsewhere does not have: a small convolutional stem beside it."""

from torch import Tensor, nn

from nestbench.encoders.blocks import initialise, modern_convolve

STEM_WIDTH = 16


def widths(levels: int) -> tuple[int, ...]:
    """Channels of a stem of so many levels, finest first: 16, 32, 64, ..."""
    return tuple(STEM_WIDTH * 2**level for level in range(levels))


def stem(levels: int, in_channels: int) -> nn.ModuleList:
    """One block a level, each of stride 2 but the first.

    Each level is drawn before the next is made, so that a shallower stem starts as a part of a deeper one.
    """
    pairs = zip((in_channels, *widths(levels)), widths(levels), strict=False)
    return nn.ModuleList(
        modern_convolve(i, o, stride=1 if level == 0 else 2).apply(initialise) for level, (i, o) in enumerate(pairs)
    )


def fine_features(levels: nn.ModuleList, image: Tensor) -> list[Tensor]:
    """Features of (N, C, H, W) at strides 1, 2, 4, ..., finest first."""
    features: list[Tensor] = []
    for level in levels:
        features.append(level(features[-1] if features else image))
    return features
