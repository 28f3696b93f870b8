"""Which of a model's features serve as levels, and the simple pyramid of a transformer that has one stride only."""

from math import log2
from typing import NamedTuple

from timm.layers.norm import LayerNorm2d
from torch import nn

from nestbench.encoders.blocks import initialise
from nestbench.encoders.probe import Anatomy, Feature
from nestbench.encoders.stem import widths
from nestbench.errors import RequestError

PYRAMID = (2, 3, 4, 5)
"""Levels that a plain transformer gives, each from the blocks up to 1/4, 2/4, 3/4 and 4/4 of its depth."""


class Level(NamedTuple):
    """The feature from which level i is made."""

    level: int
    feature: Feature

    @property
    def stride(self) -> int:
        """Pixels of the image to a pixel of the level."""
        return int(2**self.level)

    @property
    def exact(self) -> bool:
        """Whether the feature has the level's size already."""
        return self.feature.exact and self.feature.stride == self.stride


def take(name: str, anatomy: Anatomy, depth: int) -> tuple[Level, ...]:
    """Levels that the model gives up to ``depth``, finest first; what is finer than them is for the stem.

    Raises RequestError for a depth that the model cannot give.
    """
    levels = _pyramid(anatomy) if is_plain(anatomy) else _nearest(anatomy)
    wanted = range(min(levels), depth + 1)
    if not levels.keys() >= set(wanted):
        strides = ", ".join(str(s) for s in dict.fromkeys(f.stride for f in anatomy.features))
        deepest = max(level for level in levels if levels.keys() >= set(range(min(levels), level)))
        raise RequestError(
            f"encoder '{name}' cannot give depth {depth}: its features have strides {strides}, "
            f"which serve depths 1 to {deepest}"
        )
    return tuple(levels[level] for level in wanted)


def is_plain(anatomy: Anatomy) -> bool:
    """Whether all features have one stride, as in a plain vision transformer."""
    return len({f.stride for f in anatomy.features}) == 1


def quarters(blocks: int) -> tuple[int, ...]:
    """The last block of each quarter of a transformer, for the levels of a pyramid.

    A level's block depends on the level alone, so that a network pruned to a depth drops the blocks behind.
    """
    return tuple(blocks * quarter // len(PYRAMID) - 1 for quarter in range(1, len(PYRAMID) + 1))


def projections(anatomy: Anatomy, taken: tuple[Level, ...]) -> nn.ModuleList:
    """For each level of a pyramid a 1x1 convolution to the stem's widths, normalised; nothing for other models."""
    if not is_plain(anatomy):
        return nn.ModuleList()
    wide = widths(PYRAMID[-1] + 1)
    return nn.ModuleList(_projection(level.feature.channels, wide[level.level]) for level in taken)


def _projection(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), LayerNorm2d(outputs)).apply(initialise)


def _pyramid(anatomy: Anatomy) -> dict[int, Level]:
    return {level: Level(level, feature) for level, feature in zip(PYRAMID, anatomy.features, strict=True)}


def _nearest(anatomy: Anatomy) -> dict[int, Level]:
    """The level that each feature's stride is nearest to; of several features at one level the last."""
    return {round(log2(f.stride)): Level(round(log2(f.stride)), f) for f in anatomy.features}
