"""A best, a median and a worst picture: which objects each network found, which it missed, and which are false."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Line
from matplotlib.patheffects import Normal, withStroke
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import find_contours

from nestbench.instances.count import matches, overlap
from nestbench.instances.detected import from_labels
from nestbench.report.figures.overlays import KINDS, part, show
from nestbench.report.figures.style import WIDTH
from nestbench.report.pictures import Overlay

Numbers = NDArray[Any]
"""A label map (H, W), as it was stored."""

PERCENT = 50
"""IoU that an object needs to count as found."""

_LOOKS: dict[str, tuple[str, Any, str]] = {
    "found": ("#56B4E9", "-", "black"),
    "missed": ("#F0E442", (0, (2.5, 1)), "black"),
    "false": ("#D55E00", (0, (1, 0.8)), "white"),
}
"""Colour, dash and halo of the contours of each kind of object."""


class Told(NamedTuple):
    """Numbers of a picture's objects of each kind: found and false ones of the answer, missed ones of the truth."""

    found: NDArray[np.int64]
    missed: NDArray[np.int64]
    false: NDArray[np.int64]


def told(truth: Numbers, answer: Numbers) -> Told:
    """Which objects of two label maps match at an IoU of PERCENT."""
    true, said = (np.unique(labels[labels > 0]).astype(np.int64) for labels in (truth, answer))
    pairs = overlap(truth, from_labels(answer, np.ones(len(said))))
    chosen = matches(pairs, PERCENT)
    right = np.isin(np.arange(len(said)), pairs.found[chosen])
    return Told(said[right], np.delete(true, pairs.true[chosen]), said[~right])


def contours(overlay: Overlay, answers: dict[str, list[Numbers]], scores: dict[tuple[str, str], float]) -> Figure:
    """Rows of pictures, columns of the image and each network, with the contours of its objects.

    ``answers`` holds each network's label maps (H, W) by its printed name, ``scores`` the Score of a name and case.
    """
    columns = len(answers) + 1
    side = min((WIDTH - 0.3) / columns - 0.08, 1.7)
    figure = Figure(figsize=(WIDTH, (side + 0.3) * len(overlay.cases) + 0.4))
    grid = figure.subplots(len(overlay.cases), columns, squeeze=False)
    for index, (case, row) in enumerate(zip(overlay.cases, grid, strict=True)):
        truth = overlay.masks[index]
        place = part(truth)
        for axes in row:
            show(axes, overlay.images[index][place])
        row[0].set_ylabel(KINDS[index])
        for axes, (name, labels) in zip(row[1:], answers.items(), strict=True):
            _draw(axes, truth, labels[index], place, f"{100 * scores[name, case]:.1f}")
    for axes, name in zip(grid[0], ("image", *answers), strict=True):
        axes.set_title(name, size=6.5 if columns > 6 else 7.5)
    handles = [Line2D([], [], color=colour, ls=dash, lw=1.6, label=kind) for kind, (colour, dash, _) in _LOOKS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, handlelength=3.2)
    return figure


def outlines(labels: Numbers, numbers: NDArray[np.int64], place: tuple[slice, slice]) -> Line:
    """The contours of these objects within a part of a picture, as one path.

    An outline runs along the picture's border, but not along a cut: there the pixels beyond decide.
    """
    seen = np.pad(labels, 1)[tuple(slice(along.start, along.stop + 2) for along in place)]
    boxes = ndimage.find_objects(seen)
    lines = [
        contour + np.array([box[0].start - 2, box[1].start - 2])
        for number in numbers
        if number <= len(boxes) and (box := boxes[number - 1])
        for contour in find_contours(np.pad(seen[box] == number, 1).astype(np.float64), 0.5)
    ]
    paths = [Line(line[:, ::-1]) for line in lines]
    return Line.make_compound_path(*paths) if paths else Line(np.empty((0, 2)))


def _draw(axes: Axes, truth: Numbers, answer: Numbers, place: tuple[slice, slice], score: str) -> None:
    kinds = told(truth, answer)
    for kind, (colour, dash, halo) in _LOOKS.items():
        numbers = getattr(kinds, kind)
        if not len(numbers):
            continue
        line = outlines(truth if kind == "missed" else answer, numbers, place)
        drawn = PathPatch(line, fill=False, edgecolor=colour, linewidth=0.8, linestyle=dash)
        drawn.set_path_effects([withStroke(linewidth=1.4, foreground=halo, alpha=0.6), Normal()])
        axes.add_patch(drawn)
    axes.set_xlabel(f"{score}\n{len(kinds.missed)} missed, {len(kinds.false)} false", labelpad=2, size=6.5)
