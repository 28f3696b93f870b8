"""A best, a median and a worst picture: which objects each network found, which it missed, and which are false."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, withStroke
from numpy.typing import NDArray

from nestbench.instances.count import matches, overlap
from nestbench.instances.detected import from_labels
from nestbench.report.figures.board import Frame, Place, board, colours, outlines
from nestbench.report.figures.overlays import KINDS, part
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
    drawn = board(("image", *answers), KINDS[: len(overlay.cases)], 2, below=0.3)
    for row, (case, truth) in enumerate(zip(overlay.cases, overlay.masks, strict=True)):
        place = part(truth)
        image = colours(overlay.images[row][place])
        drawn.show(row, 0, image)
        for column, (name, labels) in enumerate(answers.items(), start=1):
            kinds = told(truth, labels[row])
            said = f"{100 * scores[name, case]:.1f}\n{len(kinds.missed)} missed, {len(kinds.false)} false"
            _draw(drawn.show(row, column, image, said), kinds, truth, labels[row], place)
    handles = [Line2D([], [], color=colour, ls=dash, lw=1.6, label=kind) for kind, (colour, dash, _) in _LOOKS.items()]
    drawn.figure.legend(handles=handles, loc="lower center", ncols=3, handlelength=3.2)
    return drawn.figure


def _draw(frame: Frame, kinds: Told, truth: Numbers, answer: Numbers, place: Place) -> None:
    for kind, (colour, dash, halo) in _LOOKS.items():
        numbers = getattr(kinds, kind)
        if len(numbers):
            line = outlines(truth if kind == "missed" else answer, numbers, place)
            effects = [withStroke(linewidth=1.4, foreground=halo, alpha=0.6), Normal()]
            frame.outline(line, edgecolor=colour, linewidth=0.8, linestyle=dash, path_effects=effects)
