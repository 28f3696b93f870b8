"""The critical-difference diagram: mean ranks of the members over data sets, and who is not told apart."""

import pandas as pd
from matplotlib.figure import Figure

from nestbench.report.figures.style import WIDTH, Mark
from nestbench.report.frames import rows
from nestbench.report.names import title

_LINE = 0.24
"""Inches between two names."""


def critical_difference(ranks: pd.DataFrame, marks: dict[str, Mark], depth: int) -> Figure:
    """Draw ``statistics.ranks.ranks``: the better half to the left, a bar over each set that is not told apart."""
    count = len(ranks)
    half = -(-count // 2)
    letters = sorted(set("".join(ranks["group"]))) if ranks["critical"].notna().all() else []
    bars = [own for letter in letters if len(own := ranks[ranks["group"].str.contains(letter)]) > 1]
    top = 1.2 + 0.5 * len(bars)
    figure = Figure(figsize=(WIDTH, _LINE * (top + half + 3)))
    axes = figure.add_subplot()
    axes.set(xlim=(1 - 0.42 * count, count * 1.42), ylim=(-top - half, 2.6))
    axes.set_axis_off()
    axes.plot([1, count], [0, 0], color="black", lw=0.9)
    for tick in range(1, count + 1):
        axes.plot([tick, tick], [0, 0.25], color="black", lw=0.9)
        axes.text(tick, 0.45, str(tick), ha="center", va="bottom")
    for index, row in enumerate(rows(ranks)):
        mark, left = marks[row.model], index < half
        y = -top - (index if left else count - 1 - index)
        end = 0.7 if left else count + 0.3
        axes.plot([row.rank, row.rank, end], [0, y, y], color=mark.colour, lw=0.9, zorder=1)
        axes.plot(row.rank, 0, color=mark.colour, marker=mark.marker, ms=5, zorder=3)
        name = f"{title(row.model, depth)}  {row.rank:.2f}"
        axes.text(end + (-0.08 if left else 0.08), y, name, ha="right" if left else "left", va="center")
    for index, own in enumerate(bars):
        y = -0.6 - 0.5 * index
        axes.plot([own["rank"].min() - 0.06, own["rank"].max() + 0.06], [y, y], color="#222222", lw=2.6)
    critical = ranks["critical"].iloc[0]
    if pd.notna(critical):
        axes.plot([1, 1 + critical], [1.8, 1.8], color="black", lw=0.9, marker="|", ms=5)
        axes.text(1 + critical / 2, 2.0, f"critical difference {critical:.2f}", ha="center", va="bottom")
    return figure
