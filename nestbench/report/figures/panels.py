"""What figures of points and curves share: panels, axes and legends."""

from math import ceil
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from nestbench.report.figures.style import WIDTH, Mark, handle
from nestbench.report.frames import first
from nestbench.report.names import title

Marks = dict[str, Mark]

_LETTER = 0.06
"""Inches of a letter."""

TITLE = 40
"""Letters of a panel's title in a line: half the width of a figure."""


def panels_of(encoders: list[str], *, alike: bool = False) -> tuple[Figure, dict[str, Axes]]:
    """A figure with a panel for each encoder, two in a line, with the same axis of y where they are ``alike``."""
    columns = min(2, len(encoders))
    lines = ceil(len(encoders) / columns)
    figure = Figure(figsize=(WIDTH, 2.2 * lines + 0.45))
    grid = figure.subplots(lines, columns, squeeze=False, sharey=alike).ravel()
    for unused in grid[len(encoders) :]:
        unused.set_axis_off()
    panels = dict(zip(encoders, grid, strict=False))
    for name, axes in panels.items():
        axes.set_title(fill(name, TITLE), loc="left")
    return figure, panels


def label(axes: Axes, x: str, y: str, *, linear: bool = False) -> None:
    """Name the axes and choose round ticks; x is logarithmic where it spans a factor of five, unless ``linear``."""
    axes.set(xlabel=x, ylabel=y)
    axes.margins(0.08)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], min_n_ticks=3))
    low, high = axes.dataLim.intervalx
    if 0 < low < high / 5 and not linear:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))


def beside(count: int, width: float) -> NDArray[np.float64]:
    """Places of so many things beside one another within ``width``, around zero."""
    return np.linspace(-width / 2, width / 2, count) if count > 1 else np.zeros(1)


def zero(axes: Axes) -> None:
    """A line where two networks are the same."""
    axes.axhline(0, color="#777777", lw=0.8, zorder=1)


def legend(figure: Figure, table: pd.DataFrame, marks: Marks, depth: int) -> None:
    """Name each member of a table below the figure."""
    below(figure, [handle(marks[model], title(model, depth)) for model in first(table, "model")])


def below(figure: Figure, handles: list[Line2D]) -> None:
    """A legend below the figure, in lines of about the same number of entries."""
    longest = max(len(str(entry.get_label())) for entry in handles)
    most = max(1, int(WIDTH / (0.62 + _LETTER * longest)))
    lines = ceil(len(handles) / most)
    figure.legend(handles=handles, loc="outside lower center", ncols=ceil(len(handles) / lines), handlelength=3.2)
