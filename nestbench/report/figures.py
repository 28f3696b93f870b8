"""Curves and points: stateless functions from tables to figures, one figure a data set, one panel an encoder."""

from itertools import cycle
from math import ceil
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from nestbench.report.frames import first, groups, rows
from nestbench.report.names import title
from nestbench.report.style import WIDTH, Mark, handle

Marks = dict[str, Mark]

_TITLE = 40
"""Letters of a panel's title in a line: half the width of a figure."""


def accuracy_by_parameters(main: pd.DataFrame, marks: Marks, depth: int) -> Figure:
    """Test IoU (mean and s.d. over seeds) of each member against its parameters; ``main`` is one data set's."""
    figure, panels = _panels(first(main, "encoder"))
    for encoder, axes in panels.items():
        for row in rows(main[main["encoder"] == encoder]):
            mark, error = marks[row.model], np.nan_to_num(100 * row.iou_sd)
            place = row.parameters / 1e6, 100 * row.iou
            axes.errorbar(*place, error, color=mark.colour, marker=mark.marker, markersize=6, capsize=2.5, lw=1)
        _label(axes, "parameters (millions)", "test IoU (points)")
    _legend(figure, main, marks, depth)
    return figure


def accuracy_by_time(depths: pd.DataFrame, marks: Marks, depth: int) -> Figure:
    """Test IoU of each pruned network against its own inference time; the ensemble is hollow.

    ``depths`` is one data set's on one device.
    """
    figure, panels = _panels(first(depths, "encoder"))
    for encoder, axes in panels.items():
        sides = cycle(((0, 5), (0, -11), (-9, -3), (9, -3)))
        for model, own in groups(depths[depths["encoder"] == encoder], "model"):
            mark, whole = marks[model], own["output"] == "ensemble"
            for part, face in ((own[~whole], mark.colour), (own[whole], "white")):
                x, y = part["median_ms"], 100 * part["test"]
                axes.plot(x, y, color=mark.colour, marker=mark.marker, ls=mark.dash, lw=1, ms=5.5, mfc=face)
            if whole.any():
                _name_depths(axes, own[~whole], mark, next(sides))
        _label(axes, "inference time (ms an image)", "test IoU (points)")
    _legend(figure, depths, marks, depth)
    return figure


def _name_depths(axes: Axes, heads: pd.DataFrame, mark: Mark, side: tuple[int, int]) -> None:
    """Write L1, L2, .. beside a member's points, ``side`` (in typographic points) away from them."""
    for row in rows(heads):
        place = row.median_ms, 100 * row.test
        axes.annotate(row.output, place, side, textcoords="offset points", ha="center", color=mark.colour, size=7)


def learning_curves(epochs: pd.DataFrame, marks: Marks, depth: int) -> Figure:
    """Validation IoU and loss by epoch: mean over seeds with a band of one s.d. as long as every seed still trains.

    After the first seed has stopped the mean of the others goes on as a thin line; a marker stands where a seed ends.
    """
    encoders = first(epochs, "encoder")
    figure = Figure(figsize=(WIDTH, 2.7 * len(encoders) + 0.5))
    grid = figure.subplots(len(encoders), 2, squeeze=False)
    for (left, right), encoder in zip(grid, encoders, strict=True):
        here = epochs[epochs["encoder"] == encoder].assign(epoch=lambda table: table["index"] + 1)
        left.set_title(fill(encoder, _TITLE), loc="left")
        for axes, column, scale in ((left, "validation_iou", 100.0), (right, "validation_loss", 1.0)):
            for model, own in groups(here, "model"):
                _curve(axes, scale * own.pivot_table(index="epoch", columns="seed", values=column), marks[model])
        for axes, name in ((left, "validation IoU (points)"), (right, "validation loss")):
            _label(axes, "epoch", name)
            axes.set_xscale("linear")
            axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        low, high, reach = _near(here, "validation_iou")
        left.set_ylim(100 * max(low - reach, 0), 100 * min(high + 0.2 * reach, 1))
        low, high, reach = _near(here, "validation_loss")
        right.set_ylim(low - 0.2 * reach, high + reach)
    _legend(figure, epochs, marks, depth)
    return figure


def _panels(encoders: list[str]) -> tuple[Figure, dict[str, Axes]]:
    columns = min(2, len(encoders))
    lines = ceil(len(encoders) / columns)
    figure = Figure(figsize=(WIDTH, 2.6 * lines + 0.5))
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for unused in grid[len(encoders) :]:
        unused.set_axis_off()
    panels = dict(zip(encoders, grid, strict=False))
    for name, axes in panels.items():
        axes.set_title(fill(name, _TITLE), loc="left")
    return figure, panels


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set(xlabel=x, ylabel=y)
    axes.margins(0.08)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], min_n_ticks=3))
    low, high = axes.dataLim.intervalx
    if 0 < low < high / 5:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))


def _legend(figure: Figure, table: pd.DataFrame, marks: Marks, depth: int) -> None:
    handles = [handle(marks[model], title(model, depth)) for model in first(table, "model")]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), handlelength=3.2)


def _curve(axes: Axes, by_seed: pd.DataFrame, mark: Mark) -> None:
    """Draw one member; ``by_seed`` has a row per epoch and a column per seed."""
    mean, deviation = by_seed.mean(axis=1), by_seed.std(axis=1).fillna(0.0)
    last = int(by_seed.notna().all(axis=1).sum())
    whole, rest = mean.iloc[:last], mean.iloc[last - 1 :]
    axes.plot(whole.index, whole, color=mark.colour, ls=mark.dash, lw=1.1)
    band = whole - deviation.iloc[:last], whole + deviation.iloc[:last]
    axes.fill_between(whole.index, *band, color=mark.colour, alpha=0.1, lw=0)
    axes.plot(rest.index, rest, color=mark.colour, lw=0.5)
    for _, seed in by_seed.items():
        end = seed.dropna()
        axes.plot(end.index[-1], end.iloc[-1], color=mark.colour, marker=mark.marker, ms=4, mew=0, zorder=3)


def _near(epochs: pd.DataFrame, column: str) -> tuple[float, float, float]:
    """Least and largest value of the later half of each training, and their distance: what an axis must show."""
    ends = epochs.groupby(["model", "seed"])["index"].transform("max")
    late = epochs.loc[2 * epochs["index"] >= ends, column]
    low, high = float(late.min()), float(late.max())
    return low, high, max(high - low, 1e-3)
