"""What a member gains over the reference: case by case, and by the size of the objects."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from nestbench.report.figures.panels import Marks, beside, label, legend, panels_of, zero
from nestbench.report.frames import first, groups, rows
from nestbench.report.names import title

_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Points that may stand at the axis of ``by_case``."""

_WIDTH = 0.6
"""Of a group of cases, in which its members stand beside one another; 1 is the next group."""


def by_case(gains: pd.DataFrame, marks: Marks, depth: int) -> Figure:
    """Each member's differences to the reference in all cases of one data set, the worst first; a panel an encoder."""
    figure, panels = panels_of(first(gains, "encoder"))
    for encoder, axes in panels.items():
        own = gains[gains["encoder"] == encoder]
        zero(axes)
        for model, cell in groups(own, "model"):
            mark, ranked = marks[model], np.sort(100 * cell["difference"].to_numpy())
            share = 100 * (np.arange(len(ranked)) + 0.5) / len(ranked)
            axes.plot(share, ranked, color=mark.colour, ls=mark.dash, marker=mark.marker, markevery=0.12, ms=4, lw=1.1)
        label(axes, "share of the test cases (%)", _difference(own, depth), linear=True)
        _squeeze(axes, 100 * gains["difference"].abs())
        axes.set_xlim(0, 100)
        axes.set_xticks(range(0, 101, 20))
    legend(figure, gains, marks, depth)
    return figure


def linear_to(differences: "pd.Series[float]") -> float:
    """Up to which difference (points) the axis of ``by_case`` is linear: about what the middle case differs by."""
    middle = float(differences.median())
    return max(step for step in _STEPS if step <= max(middle, _STEPS[0]))


def by_size(sizes: pd.DataFrame, marks: Marks, depth: int) -> Figure:
    """Each member's mean difference by the size of the objects, with 95 % intervals; a panel an encoder."""
    figure, panels = panels_of(first(sizes, "encoder"))
    groups_of_cases = first(sizes, "size")
    members = first(sizes, "model")
    shifts = dict(zip(members, beside(len(members), _WIDTH), strict=True))
    for encoder, axes in panels.items():
        own = sizes[sizes["encoder"] == encoder]
        zero(axes)
        for row in rows(own):
            mark, middle = marks[row.model], 100 * row.difference
            place = groups_of_cases.index(row.size) + shifts[row.model]
            reach = np.nan_to_num([[middle - 100 * row.low], [100 * row.high - middle]])
            axes.errorbar(place, middle, reach, color=mark.colour, marker=mark.marker, ms=4.5, capsize=1.5, lw=0.9)
        label(axes, "median diameter of a case's objects (pixels)", _difference(own, depth), linear=True)
        axes.set_xlim(-0.5, len(groups_of_cases) - 0.5)
        counts = own.groupby("size", sort=False)["cases"].max()
        named = [f"{name}\n({counts.get(name, 0)})" for name in groups_of_cases]
        axes.set_xticks(range(len(named)), named, size=6.5)
        axes.grid(visible=False, axis="x")
    legend(figure, sizes, marks, depth)
    return figure


def _squeeze(axes: Axes, differences: "pd.Series[float]") -> None:
    """An axis of y that shows small differences beside the few that are many times as large."""
    near, farthest = linear_to(differences), float(differences.max())
    shown = [step for step in _STEPS if near <= step <= max(farthest, near)]
    shown = shown[:: 1 + len(shown) // 5]
    axes.set_yscale("symlog", linthresh=near, linscale=0.6)
    axes.yaxis.set_major_locator(FixedLocator([*(-step for step in reversed(shown)), 0, *shown]))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _difference(own: pd.DataFrame, depth: int) -> str:
    return f"IoU beside {title(own['reference'].iloc[0], depth)} (points)"
