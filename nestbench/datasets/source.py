"""Where the pixels of a side of a split are read from: the device's memory, or the disk."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nestbench.datasets.resize import Space
from nestbench.formats.pictures import Pixels
from nestbench.windows import Place

Read = Callable[[int, Place], Tensor]
"""A case's pixels, uint8, (C, d, h, w) of images and (d, h, w) of masks, in a window that may reach beyond its far
edges: they are repeated there."""


def held(cases: Sequence[Tensor]) -> Read:
    """Read from images (C, D, H, W) or masks (D, H, W) that are in memory."""

    def read(case: int, place: Place) -> Tensor:
        depth, height, width = place
        return _padded(cases[case][..., depth, height, width], place)

    return read


def stored(mapped: Callable[[int], Pixels], positions: Sequence[int]) -> Read:
    """Read images (D, H, W, C) or masks (D, H, W) of these positions from where they are mapped to."""

    def read(case: int, place: Place) -> Tensor:
        pixels = mapped(positions[case])[place]
        # A copy, so that no tensor writes to the file, with the channels first.
        own = np.array(np.moveaxis(pixels, -1, 0) if pixels.ndim > len(place) else pixels, order="C")
        return _padded(torch.from_numpy(own), place)

    return read


def taken_in(read: Read, spaces: Sequence[Space], device: str) -> Read:
    """The same cases, held on a device."""
    return held([read(case, tuple(map(slice, (0, 0, 0), space))).to(device) for case, space in enumerate(spaces)])


def _padded(pixels: Tensor, place: Place) -> Tensor:
    """Pixels (..., d, h, w) with their far edges repeated until they fill their place."""
    missing = [p.stop - p.start - side for p, side in zip(place, pixels.shape[-3:], strict=True)]
    if not any(missing):
        return pixels
    edges = [n for side in reversed(missing) for n in (0, side)]
    grown = functional.pad(pixels.float().reshape(1, -1, *pixels.shape[-3:]), edges, mode="replicate")
    return grown.to(torch.uint8).reshape(*pixels.shape[:-3], *grown.shape[-3:])
