"""Scores of objects: against the IoU that a match needs, and by the objects' size."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nestbench.report.figures.panels import Marks, beside, label, legend, panels_of
from nestbench.report.frames import first, groups
from nestbench.results.instance_scores import SIZES


def by_threshold(table: pd.DataFrame, marks: Marks, depth: int) -> Figure:
    """TP / (TP + FP + FN) by IoU threshold, mean and s.d. over seeds; ``table`` is one data set's."""
    figure, panels = panels_of(first(table, "encoder"), alike=True)
    for encoder, axes in panels.items():
        for model, own in groups(table[table["encoder"] == encoder], "model"):
            x, y, mark = own["threshold"] / 100, 100 * own["score"], marks[model]
            axes.plot(x, y, color=mark.colour, marker=mark.marker, ls=mark.dash, lw=1, ms=4)
            reach = 100 * own["score_sd"].fillna(0.0)
            axes.fill_between(x, y - reach, y + reach, color=mark.colour, alpha=0.12, lw=0)
        label(axes, "IoU that a match needs", "TP / (TP + FP + FN) (points)", linear=True)
        axes.set_ylim(bottom=0)
    legend(figure, table, marks, depth)
    return figure


def by_size(table: pd.DataFrame, marks: Marks, depth: int) -> Figure:
    """Score by the size of the objects, mean and s.d. over seeds, the number of objects below each size."""
    figure, panels = panels_of(first(table, "encoder"), alike=True)
    sizes = [size for size in SIZES if (table["size"] == size).any()]
    for encoder, axes in panels.items():
        here = table[table["encoder"] == encoder]
        models = first(here, "model")
        for offset, model in zip(beside(len(models), 0.5), models, strict=True):
            own, mark = here[here["model"] == model].set_index("size").reindex(sizes), marks[model]
            error = np.nan_to_num(100 * own["score_sd"].to_numpy(np.float64))
            place = np.arange(len(sizes)) + offset
            axes.errorbar(
                place, 100 * own["score"], error, color=mark.colour, marker=mark.marker, ls="", ms=5, capsize=2.5, lw=1
            )
        label(axes, "diameter in pixels, and number of true objects", "Score (points)", linear=True)
        counts = here.groupby("size")["true"].max().reindex(sizes).fillna(0).astype(int)
        axes.set_xticks(range(len(sizes)), [f"{size}\nn = {counts[size]:,}" for size in sizes])
        axes.set_xlim(-0.5, len(sizes) - 0.5)
        axes.set_ylim(bottom=0)
    legend(figure, table, marks, depth)
    return figure
