"""A best, a median and a worst case: what each member found, over what is there."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, withStroke

from nestbench.report.gather import Bytes, Overlay
from nestbench.report.style import WIDTH

_TRUTH, _FOUND = "#F0E442", "#D55E00"
_KINDS = ("best", "median", "worst")


def overlays(overlay: Overlay, found: dict[str, list[Bytes]], iou: dict[tuple[str, str], float]) -> Figure:
    """Rows of cases, columns of the image and each member: contours of the truth and of the prediction.

    ``found`` holds each member's masks (H, W) by its printed name, ``iou`` the score of a name and case.
    """
    columns = len(found) + 1
    side = min((WIDTH - 0.3) / columns - 0.08, 1.7)
    figure = Figure(figsize=(WIDTH, (side + 0.22) * len(overlay.cases) + 0.2))
    grid = figure.subplots(len(overlay.cases), columns, squeeze=False)
    for index, (case, row) in enumerate(zip(overlay.cases, grid, strict=True)):
        for axes in row:
            _image(axes, overlay.images[index])
        row[0].set_ylabel(_KINDS[index])
        for axes, (name, masks) in zip(row[1:], found.items(), strict=True):
            _contours(axes, overlay.masks[index], _TRUTH, "-", "black")
            _contours(axes, masks[index], _FOUND, (0, (2.5, 1)), "white")
            axes.set_xlabel(f"{100 * iou[name, case]:.1f}", labelpad=2)
    for axes, name in zip(grid[0], ("image", *found), strict=True):
        axes.set_title(name, size=6.5 if columns > 6 else 7.5)
    return figure


def _image(axes: Axes, image: Bytes) -> None:
    grey = image.shape[-1] != 3
    axes.imshow(image[..., 0] if grey else image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _contours(axes: Axes, mask: Bytes, colour: str, dash: Any, halo: str) -> None:
    """Outline every class; the halo keeps a light line visible on a light image, and a dark one on a dark image."""
    padded = np.pad(mask, 1)
    place = np.arange(-1, mask.shape[1] + 1), np.arange(-1, mask.shape[0] + 1)
    for label in np.unique(mask[mask > 0]):
        lines = axes.contour(*place, padded == label, levels=[0.5], colors=colour, linewidths=0.7, linestyles=[dash])
        lines.set_path_effects([withStroke(linewidth=1.3, foreground=halo, alpha=0.6), Normal()])
