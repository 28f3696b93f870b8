"""How a model that takes only some sizes is made to take any: the image is padded, and cut into tiles if need be."""

from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import functional


class Frame(NamedTuple):
    """The sizes that a model takes by itself: multiples of ``side``, ``least`` at least; for a tile, only ``side``."""

    side: int = 1
    tile: bool = False
    least: int = 1
    """Pixels; a multiple of ``side``, or less."""


def framed(image: Tensor, frame: Frame) -> Tensor:
    """Pad (N, C, H, W) with zeros below and on the right to what the model takes; tiles lie along N."""
    height, width = _padded(image, frame)
    if max(frame.side, frame.least) > 1:
        image = functional.pad(image, (0, width - image.shape[-1], 0, height - image.shape[-2]))
    if not frame.tile:
        return image
    n, channels, side = *image.shape[:2], frame.side
    rows, columns = height // side, width // side
    cut = image.reshape(n, channels, rows, side, columns, side).permute(0, 2, 4, 1, 3, 5)
    return cut.reshape(n * rows * columns, channels, side, side)


def unframed(feature: Tensor, image: Tensor, frame: Frame, stride: int, exact: bool) -> Tensor:
    """Bring a feature of the framed image to the image itself, of ceil(H / stride) x ceil(W / stride) pixels.

    What is not of that stride exactly is resized; a model that takes any size keeps its own rounding, up or down.
    """
    height, width = (frame.side, frame.side) if frame.tile else _padded(image, frame)
    if not exact:
        feature = functional.interpolate(feature, size=(_cells(height, stride), _cells(width, stride)), mode="bilinear")
    if frame.tile:
        feature = _joined(feature, image, frame)
    if max(frame.side, frame.least) == 1:
        return feature
    # A slice would do the same, but the length of one is unknown to older torch where it is exported.
    for axis in (-2, -1):
        feature = feature.narrow(axis, 0, torch.sym_min(_cells(image.shape[axis], stride), feature.shape[axis]))
    return feature


def _cells(extent: int, cell: int) -> int:
    """How many cells cover an extent; worked out of positive numbers alone, since ONNX divides towards zero."""
    return (extent + cell - 1) // cell


def _padded(image: Tensor, frame: Frame) -> tuple[int, int]:
    height, width = (_cells(side, frame.side) * frame.side for side in image.shape[-2:])
    if frame.least <= frame.side:
        return height, width
    # Not Python's max, which would fix the sizes of an exported network to one side of the comparison.
    return cast(tuple[int, int], (torch.sym_max(height, frame.least), torch.sym_max(width, frame.least)))


def _joined(tiles: Tensor, image: Tensor, frame: Frame) -> Tensor:
    channels, side = tiles.shape[1], tiles.shape[-1]
    rows, columns = (padded // frame.side for padded in _padded(image, frame))
    laid = tiles.reshape(image.shape[0], rows, columns, channels, side, side).permute(0, 3, 1, 4, 2, 5)
    return laid.reshape(image.shape[0], channels, rows * side, columns * side)
