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
"""Where a window lies in a batch (N, C, *space)."""


def windows(space: tuple[int, ...], window: int, overlap: float = OVERLAP) -> Iterator[tuple[Place, Tensor]]:
    """Windows that cover an image of sides ``space``, each with its weights.

    No window is longer than ``window``, and neighbours share at least ``overlap`` of it. The weights that a pixel
    gets from all windows sum to 1: along each axis they do, and they are the axes' product.
    """
    for parts in itertools.product(*(_along(side, min(side, window), overlap) for side in space)):
        places, weights = zip(*parts, strict=True)
        yield (slice(None), slice(None), *places), reduce(lambda so_far, axis: so_far[..., None] * axis, weights)


def _along(side: int, window: int, overlap: float) -> list[tuple[slice, Tensor]]:
    """Windows along one axis, evenly spread, and their weights, which sum to 1 at every pixel."""
    starts = _starts(side, window, overlap)
    # Hann's bell at the centres of pixels, where it is nowhere 0: what only one window covers keeps weight 1.
    bell = torch.sin(math.pi * (torch.arange(window, dtype=torch.float64) + 0.5) / window) ** 2
    total = torch.zeros(side, dtype=torch.float64)
    for start in starts:
        total[start : start + window] += bell
    places = [slice(start, start + window) for start in starts]
    return [(place, (bell / total[place]).float()) for place in places]


def _starts(side: int, window: int, overlap: float) -> list[int]:
    step = max(1, math.floor(window * (1 - overlap)))
    gaps = math.ceil((side - window) / step)
    return [round(index * (side - window) / gaps) for index in range(gaps + 1)] if gaps else [0]
