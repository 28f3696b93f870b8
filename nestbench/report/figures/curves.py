"""Learning curves: one figure a data set, one line of panels an encoder."""

from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nestbench.report.figures.panels import TITLE, Marks, label, legend
from nestbench.report.figures.style import WIDTH, Mark
from nestbench.report.frames import first

ENDS = (
    "from the marker on, where the first of them stopped, thin lines: mean of those that still train. Markers at the "
    "foot: where each seed stopped."
)
"""What a caption says of the ends of curves."""

_LINE = 0.035
"""Height of a member's line at the foot, as a share of the panel."""


def learning_curves(epochs: pd.DataFrame, marks: Marks, depth: int, metric: str = "IoU") -> Figure:
    """Validation IoU and loss by epoch: mean over seeds with a band of one s.d. as long as every seed still trains.

    After the first seed has stopped, which a marker shows, the mean of the others goes on as a thin line; at the foot
    of the IoU each member has a line of its own with a marker where each seed ends. ``metric`` is what the axis says
    instead of IoU.
    """
    encoders = first(epochs, "encoder")
    figure = Figure(figsize=(WIDTH, 2.1 * len(encoders) + 0.45))
    grid = figure.subplots(len(encoders), 2, squeeze=False)
    for (left, right), encoder in zip(grid, encoders, strict=True):
        here = epochs[epochs["encoder"] == encoder].assign(epoch=lambda table: table["index"] + 1)
        left.set_title(fill(encoder, TITLE), loc="left")
        for axes, column, scale in ((left, "validation_iou", 100.0), (right, "validation_loss", 1.0)):
            by_seed = here.pivot_table(index="epoch", columns=["model", "seed"], values=column, sort=False).sort_index()
            for model in first(here, "model"):
                own = pd.DataFrame(by_seed[model]).dropna(how="all")
                _curve(axes, scale * own, marks[model])
        for axes, name in ((left, f"validation {metric} (points)"), (right, "validation loss")):
            label(axes, "epoch", name, linear=True)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        low, high, reach = _near(here, "validation_iou")
        bottom, top = 100 * max(low - reach, 0), 100 * min(high + 0.2 * reach, 1)
        members = first(here, "model")
        foot = _LINE * (len(members) + 1)
        left.set_ylim(bottom - (top - bottom) * foot / (1 - foot), top)
        for line, model in enumerate(reversed(members), start=1):
            ends = here[here["model"] == model].groupby("seed")["epoch"].max()
            look: Any = {"color": marks[model].colour, "marker": marks[model].marker, "ls": "", "ms": 3, "mew": 0}
            left.plot(ends, [_LINE * line] * len(ends), transform=left.get_xaxis_transform(), **look)
        low, high, reach = _near(here, "validation_loss")
        right.set_ylim(low - 0.2 * reach, high + reach)
    legend(figure, epochs, marks, depth)
    return figure


def _curve(axes: Axes, by_seed: pd.DataFrame, mark: Mark) -> None:
    """Draw one member; ``by_seed`` has a row per epoch and a column per seed."""
    mean, deviation = by_seed.mean(axis=1), by_seed.std(axis=1).fillna(0.0)
    last = int(by_seed.notna().all(axis=1).sum())
    whole, rest = mean.iloc[:last], mean.iloc[last - 1 :]
    axes.plot(whole.index, whole, color=mark.colour, ls=mark.dash, lw=1.1)
    band = whole - deviation.iloc[:last], whole + deviation.iloc[:last]
    axes.fill_between(whole.index, *band, color=mark.colour, alpha=0.1, lw=0)
    axes.plot(rest.index, rest, color=mark.colour, lw=0.5)
    axes.plot(whole.index[-1:], whole.iloc[-1:], color=mark.colour, ls="", marker=mark.marker, ms=4.5, mew=0, zorder=3)


def _near(epochs: pd.DataFrame, column: str) -> tuple[float, float, float]:
    """Least and largest value of the later half of each training, and their distance: what an axis must show."""
    ends = epochs.groupby(["model", "seed"])["index"].transform("max")
    late = epochs.loc[2 * epochs["index"] >= ends, column]
    low, high = float(late.min()), float(late.max())
    return low, high, max(high - low, 1e-3)
