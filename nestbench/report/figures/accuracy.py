"""Accuracy against what it costs: one figure a data set, one panel an encoder."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nestbench.report.figures.panels import Marks, label, legend, panels_of
from nestbench.report.frames import first, groups, rows
from nestbench.report.names import title


def accuracy_by_parameters(main: pd.DataFrame, marks: Marks, depth: int) -> Figure:
    """Test IoU (mean and s.d. over seeds) of each member against its parameters; ``main`` is one data set's.

    Steps of grey are the Pareto front of a panel.
    """
    figure, panels = panels_of(first(main, "encoder"))
    for encoder, axes in panels.items():
        here = main[main["encoder"] == encoder]
        front = pareto(here)
        axes.step(front["parameters"] / 1e6, 100 * front["iou"], where="post", color="#999999", lw=1.2, zorder=1)
        for row in rows(here):
            mark, error = marks[row.model], np.nan_to_num(100 * row.iou_sd)
            place = row.parameters / 1e6, 100 * row.iou
            axes.errorbar(*place, error, color=mark.colour, marker=mark.marker, markersize=6, capsize=2.5, lw=1)
        label(axes, "parameters (millions)", "test IoU (points)")
    legend(figure, main, marks, depth)
    return figure


def pareto(main: pd.DataFrame) -> pd.DataFrame:
    """The members than which no other has both fewer parameters and a higher mean, the smallest first."""
    ranked = main.sort_values(["parameters", "iou"], ascending=[True, False])
    better = ranked["iou"] > ranked["iou"].cummax().shift(fill_value=-1.0)
    return ranked[better]


def by_encoder(main: pd.DataFrame, marks: Marks, depth: int) -> Figure:
    """Test IoU of each member on each encoder, mean and s.d. over seeds; ``main`` is one data set's."""
    figure, panels = panels_of(first(main, "encoder"), alike=True)
    models = first(main, "model")
    for encoder, axes in panels.items():
        for row in rows(main[main["encoder"] == encoder]):
            mark, error = marks[row.model], np.nan_to_num(100 * row.iou_sd)
            place = models.index(row.model), 100 * row.iou
            axes.errorbar(*place, error, color=mark.colour, marker=mark.marker, markersize=6, capsize=2.5, lw=1)
        label(axes, "", "test IoU (points)", linear=True)
        axes.set_xlim(-0.6, len(models) - 0.4)
        axes.set_xticks(range(len(models)), [title(model, depth) for model in models], rotation=35, ha="right")
    return figure


def accuracy_by_time(depths: pd.DataFrame, marks: Marks, depth: int) -> Figure:
    """Test IoU of each pruned network against its own inference time; the ensemble is hollow.

    ``depths`` is one data set's on one device.
    """
    figure, panels = panels_of(first(depths, "encoder"))
    for encoder, axes in panels.items():
        here = depths[depths["encoder"] == encoder]
        for model, own in groups(here, "model"):
            mark, whole = marks[model], own["output"] == "ensemble"
            for part, face in ((own[~whole], mark.colour), (own[whole], "white")):
                x, y = part["median_ms"], 100 * part["test"]
                axes.plot(x, y, color=mark.colour, marker=mark.marker, ls=mark.dash, lw=1, ms=5.5, mfc=face)
        label(axes, "inference time (ms an image)", "test IoU (points)")
        _name_depths(axes, here, marks)
    legend(figure, depths, marks, depth)
    return figure


_SIDES = tuple((10.0 * x, 9.0 * y) for x, y in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)))
"""Where beside a point its name may stand, in typographic points; the first that is as free as any is taken."""


def _name_depths(axes: Axes, depths: pd.DataFrame, marks: Marks) -> None:
    """Name the shallowest and the deepest head of each network with several, on the side where most is free."""
    scale = 72 / axes.get_figure(root=True).dpi  # type: ignore[union-attr]
    axes.autoscale_view()
    taken = [scale * axes.transData.transform((row.median_ms, 100 * row.test)) for row in rows(depths)]
    for model, own in groups(depths, "model"):
        heads = own[own["output"] != "ensemble"].sort_values("depth")
        if len(heads) == len(own):
            continue
        for row in rows(heads.iloc[[0, -1]]):
            place = row.median_ms, 100 * row.test
            drawn = scale * axes.transData.transform(place)
            side = freest(drawn, np.array(taken))
            taken.append(drawn + side)
            look: Any = {"ha": "center", "va": "center", "color": marks[model].colour, "size": 7}
            axes.annotate(row.output, place, side, textcoords="offset points", **look)


def freest(place: NDArray[np.float64], taken: NDArray[np.float64]) -> tuple[float, float]:
    """The one of _SIDES of a place whose nearest other point is farthest; all in typographic points."""
    room = [np.round(np.linalg.norm(taken - (place + side), axis=1).min(), 3) for side in _SIDES]
    return _SIDES[int(np.argmax(room))]
