"""What decided the searches: the share of each searched key."""

import pandas as pd
from matplotlib.figure import Figure

from nestbench.report.figures.panels import Marks, beside, legend, panels_of
from nestbench.report.frames import first, groups, rows


def importance(table: pd.DataFrame, marks: Marks, depth: int) -> Figure:
    """Share of each key in what decided the search of each member: one data set, a panel an encoder."""
    figure, panels = panels_of(first(table, "encoder"), alike=True)
    keys, models = first(table, "key"), first(table, "model")
    shifts = dict(zip(models, beside(len(models), 0.5), strict=True))
    for encoder, axes in panels.items():
        for model, own in groups(table[table["encoder"] == encoder], "model"):
            for row in rows(own):
                place = keys.index(row.key) + shifts[model]
                axes.plot([0, 100 * row.share], [place, place], color="#cccccc", lw=0.8, zorder=1)
                axes.plot(100 * row.share, place, color=marks[model].colour, marker=marks[model].marker, ms=4.5)
        axes.set(xlabel="share of what decided (%)", xlim=(0, 102), ylim=(len(keys) - 0.5, -0.5))
        axes.set_yticks(range(len(keys)), keys)
        axes.grid(visible=False, axis="y")
    legend(figure, table, marks, depth)
    return figure
