"""A best, a median and a worst case: what each member found, over what is there."""

from collections.abc import Iterator
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nestbench.report.figures.style import WIDTH
from nestbench.report.pictures import Bytes, Overlay

_TRUTH, _FOUND = "#56B4E9", "#D55E00"
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
    """Rows of cases, columns of the image and each member: the truth tinted, the prediction as a contour.

    Of a large image a part is shown (``part``). ``found`` holds each member's masks (H, W) by its printed name,
    ``iou`` the score of a name and case.
    """
    columns = len(found) + 1
    side = min((WIDTH - 0.3) / columns - 0.08, 1.7)
    figure = Figure(figsize=(WIDTH, (side + 0.22) * len(overlay.cases) + (0.4 if columns > 6 else 0.2)))
    grid = figure.subplots(len(overlay.cases), columns, squeeze=False)
    for index, (case, row) in enumerate(zip(overlay.cases, grid, strict=True)):
        place = part(overlay.masks[index])
        for axes in row:
            show(axes, overlay.images[index][place])
        row[0].set_ylabel(KINDS[index])
        for axes, (name, masks) in zip(row[1:], found.items(), strict=True):
            for mask in _classes(overlay.masks[index], place):
                axes.contourf(*_pixels(mask), mask, levels=[0.5, 1], colors=_TRUTH, alpha=_TINT)
            for mask in _classes(masks[index], place):
                axes.contour(*_pixels(mask), mask, levels=[0.5], colors=_FOUND, linewidths=LINE)
            axes.set_xlabel(f"{100 * iou[name, case]:.1f}", labelpad=2)
    for axes, name in zip(grid[0], ("image", *found), strict=True):
        axes.set_title(fill(name, 9) if columns > 6 else name, size=6.5 if columns > 6 else 7.5)
    return figure


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


def show(axes: Axes, image: Bytes) -> None:
    """Show an image (H, W, C) without axes."""
    grey = image.shape[-1] != 3
    axes.imshow(image[..., 0] if grey else image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.autoscale(enable=False)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _classes(mask: Bytes, place: tuple[slice, slice]) -> Iterator[NDArray[np.bool_]]:
    """Where each class is that is seen in a part, and in a pixel around it.

    An outline runs along the image's border, but not along a cut: there it is the pixels beyond that decide.
    """
    seen = np.pad(mask, 1)[tuple(slice(along.start, along.stop + 2) for along in place)]
    yield from (seen == label for label in np.unique(seen[seen > 0]))


def _pixels(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Columns and rows of a part with a pixel around it."""
    return np.arange(-1, mask.shape[1] - 1), np.arange(-1, mask.shape[0] - 1)
