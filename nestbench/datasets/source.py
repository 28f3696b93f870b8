"""Where the pixels of a side of a split are read from: the device's memory, or the disk."""

import os
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nestbench.datasets.resize import Space
from nestbench.errors import RunError
from nestbench.windows import Place

Read = Callable[[int, Place], Tensor]
"""A case's pixels, (C, d, h, w) of images and (d, h, w) of masks, both uint8, or of instances, int32, in a window that
may reach beyond its far edges: they are repeated there."""


def held(cases: Sequence[Tensor]) -> Read:
    """Read from images (C, D, H, W) or masks (D, H, W) that are in memory."""

    def read(case: int, place: Place) -> Tensor:
        depth, height, width = place
        return _padded(cases[case][..., depth, height, width], place)

    return read


def stored(
    path: Path,
    starts: Sequence[int],
    spaces: Sequence[Space],
    channels: int | None = None,
    kind: type[np.uint8] | type[np.int32] = np.uint8,
) -> Read:
    """Read from a file of numbers in which each case, (D, H, W, C) or without channels, begins at its start, in bytes.

    Rows are read whole, and nothing is mapped: what was looked at does not stay in memory. Raises RunError where the
    file ends too early.
    """
    file = os.open(path, os.O_RDONLY)
    inner = () if channels is None else (channels,)
    unit = np.dtype(kind).itemsize * (channels or 1)

    def read(case: int, place: Place) -> Tensor:
        space = spaces[case]
        depth, height, width = (slice(p.start, min(p.stop, side)) for p, side in zip(place, space, strict=True))
        rows = np.empty((depth.stop - depth.start, height.stop - height.start, space[2], *inner), kind)
        for plane, into in zip(range(depth.start, depth.stop), rows, strict=True):
            begin = starts[case] + (plane * space[1] + height.start) * space[2] * unit
            if os.preadv(file, [into], begin) != into.nbytes:
                raise RunError(f"'{path}' ends before its last case: was it changed?")
        pixels = rows[:, :, width]
        first = np.ascontiguousarray(pixels if channels is None else np.moveaxis(pixels, -1, 0))
        return _padded(torch.from_numpy(first), place)

    weakref.finalize(read, os.close, file)
    return read


def taken_in(read: Read, spaces: Sequence[Space], window: Space, device: str) -> Read:
    """The same cases, held on a device; those that are smaller than a window are held as it shows them."""
    sides = [tuple(map(max, space, window)) for space in spaces]
    return held([read(case, tuple(slice(0, n) for n in side)).to(device) for case, side in enumerate(sides)])


def _padded(pixels: Tensor, place: Place) -> Tensor:
    """Pixels (..., d, h, w) with their far edges repeated until they fill their place."""
    for axis, wanted in zip((-3, -2, -1), place, strict=True):
        length, side = wanted.stop - wanted.start, pixels.shape[axis]
        if length > side:
            pixels = pixels.index_select(axis, torch.arange(length, device=pixels.device).clamp(max=side - 1))
    return pixels
