"""Overlapping windows over an image of any dimensions, with weights that blend them without seams."""

import itertools
import math
from collections.abc import Iterator
from functools import reduce

import torch
from torch import Tensor

OVERLAP = 0.5
MOST_OVERLAP = 0.9


Place = tuple[slice, ...]
"""Where a window lies, a slice for each axis of space."""


def windows(
    space: tuple[int, ...], window: tuple[int, ...], overlap: float = OVERLAP
) -> Iterator[tuple[Place, Tensor]]:
    """Windows that cover an image of sides ``space``, each with its weights, in the order of their places.

    No window is longer than ``window``, and neighbours share at least ``overlap`` of it. The weights that a pixel
    gets from all windows sum to 1: along each axis they do, and they are the axes' product.
    """
    axes = (_along(side, min(side, length), overlap) for side, length in zip(space, window, strict=True))
    for parts in itertools.product(*axes):
        places, weights = zip(*parts, strict=True)
        yield places, reduce(lambda so_far, axis: so_far[..., None] * axis, weights)


def starts(side: int, window: int, step: int) -> list[int]:
    """Where windows begin along an axis: evenly spread, from end to end, at most ``step`` apart."""
    gaps = math.ceil((side - window) / step)
    return [round(index * (side - window) / gaps) for index in range(gaps + 1)] if gaps > 0 else [0]


def _along(side: int, window: int, overlap: float) -> list[tuple[slice, Tensor]]:
    """Windows along one axis, evenly spread, and their weights, which sum to 1 at every pixel."""
    begins = starts(side, window, max(1, math.floor(window * (1 - overlap))))
    # Hann's bell at the centres of pixels, where it is nowhere 0: what only one window covers keeps weight 1.
    bell = torch.sin(math.pi * (torch.arange(window, dtype=torch.float64) + 0.5) / window) ** 2
    total = torch.zeros(side, dtype=torch.float64)
    for start in begins:
        total[start : start + window] += bell
    places = [slice(start, start + window) for start in begins]
    return [(place, (bell / total[place]).float()) for place in places]
