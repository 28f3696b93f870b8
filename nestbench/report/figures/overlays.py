"""A best, a median and a worst case: what each network found, over what is there."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nestbench.report.figures.board import board, colours, outlines
from nestbench.report.pictures import Bytes, Overlay

_TRUTH, _FOUND = np.array((0x56, 0xB4, 0xE9), np.float64), "#D55E00"
_TINT = 0.75
LINE = 0.4
"""Typographic points of a contour: less than a pixel of WHOLE / 2 in the narrowest panel, so that it hides none."""

KINDS = ("best", "median", "worst")

WHOLE = 128
"""Pixels a side of what is always shown whole: about as many as a printed panel tells apart."""

_LEAST, _MARGIN = 64, 0.15
"""Pixels a side of the smallest part, and the share of the objects' extent that is shown around them."""

_DENSE = 8
"""Times its own side that outlines in a part may be long; a disc that fills it has pi."""


def overlays(overlay: Overlay, found: dict[str, list[Bytes]], iou: dict[tuple[str, str], float]) -> Figure:
    """Rows of cases, columns of the image and each answer: the truth tinted, what was found as an outline.

    Of a large image a part is shown (``part``). ``found`` holds each network's, or head's, masks (H, W) by its printed
    name, ``iou`` the score of a name and case.
    """
    drawn = board(("image", *found), KINDS[: len(overlay.cases)], 1)
    for row, (case, mask) in enumerate(zip(overlay.cases, overlay.masks, strict=True)):
        place = part(mask)
        image = colours(overlay.images[row][place])
        drawn.show(row, 0, image)
        truth = tinted(image, mask[place])
        for column, (name, masks) in enumerate(found.items(), start=1):
            frame = drawn.show(row, column, truth, f"{100 * iou[name, case]:.1f}")
            own = masks[row]
            frame.outline(outlines(own, np.unique(own[own > 0]), place), color=_FOUND, lw=LINE)
    return drawn.figure


def tinted(image: Bytes, mask: Bytes) -> Bytes:
    """An image (H, W, 3) with what is there in blue, but for a line where two classes meet."""
    seams = np.zeros(mask.shape, bool)
    for axis in (0, 1):
        before = np.roll(mask, 1, axis)
        before[(slice(None),) * axis + (0,)] = 0
        seams |= (before != mask) & (before > 0)
    there = ((mask > 0) & ~seams)[..., None]
    blended = (1 - _TINT) * image + _TINT * _TRUTH
    return np.where(there, blended, image).astype(np.uint8)


def cut(overlay: Overlay) -> bool:
    """Whether of some case only a part is shown."""
    return any(mask[part(mask)].shape != mask.shape for mask in overlay.masks)


def part(mask: NDArray[Any]) -> tuple[slice, slice]:
    """The part of an image that is shown by its true mask (H, W), so that outlines can be told apart.

    All of it up to WHOLE pixels a side, or without objects; of a larger one a square around the objects, or where
    outlines are dense there, the square of WHOLE pixels that has most of them.
    """
    edges = _edges(mask)
    rows, columns = np.nonzero(edges)
    if max(mask.shape) <= WHOLE or not len(rows):
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    ends = [(int(along.min()), int(along.max()) + 1) for along in (rows, columns)]
    side = max(_LEAST, round((1 + 2 * _MARGIN) * max(stop - start for start, stop in ends)))
    if len(rows) > _DENSE * side:
        return _fullest(edges, min(WHOLE, *mask.shape))
    down, across = (
        _around((start + stop) // 2, side, all_) for (start, stop), all_ in zip(ends, mask.shape, strict=True)
    )
    return down, across


def _edges(mask: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether a pixel differs from its neighbour to the left or above."""
    above, left = mask[:1], mask[:, :1]
    edges: NDArray[np.bool_] = (np.diff(mask, axis=0, prepend=above) != 0) | (np.diff(mask, axis=1, prepend=left) != 0)
    return edges


def _fullest(edges: NDArray[np.bool_], side: int) -> tuple[slice, slice]:
    """The square in which most pixels are edges."""
    sums = np.pad(edges.astype(np.int64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    within = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    top, left = (int(begin) for begin in np.unravel_index(np.argmax(within), within.shape))
    return slice(top, top + side), slice(left, left + side)


def _around(middle: int, side: int, length: int) -> slice:
    """So many pixels around the middle of an axis, or all of a shorter one."""
    start = min(max(0, middle - side // 2), max(0, length - side))
    return slice(start, min(start + side, length))
