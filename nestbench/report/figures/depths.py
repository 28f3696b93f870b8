"""What depth does: every depth of every member, trained with the others or alone."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nestbench.report.figures.panels import Marks, below, beside, label, panels_of, zero
from nestbench.report.figures.style import Mark, handle
from nestbench.report.frames import first, groups, rows
from nestbench.report.names import title
from nestbench.study.models import is_outside
from nestbench.topology import parse


def by_depth(outputs: pd.DataFrame, marks: Marks, depth: int) -> Figure:
    """Test IoU of each depth of each member, mean and s.d. over seeds: one data set, a panel an encoder.

    A line joins the heads of one network; hollow markers are networks that were trained to that depth alone.
    """
    own = _heads(outputs, depth)
    looks = {member: marks[one["model"].iloc[0]] for member, one in groups(own, "member")}
    shifts = dict(zip(looks, beside(len(looks), 0.3), strict=True))
    figure, panels = panels_of(first(own, "encoder"))
    for encoder, axes in panels.items():
        for (member, model), one in groups(own[own["encoder"] == encoder], ["member", "model"]):
            alone = parse(model, depth)[1] < depth
            shown = one[one["depth"] == one["depth"].max()] if alone else one
            face = "white" if alone else looks[member].colour
            x, y, error = shown["depth"] + shifts[member], 100 * shown["test"], 100 * shown["test_sd"].fillna(0)
            look: Any = {"color": looks[member].colour, "marker": looks[member].marker, "ls": looks[member].dash}
            axes.errorbar(x, y, error, **look, mfc=face, ms=5, capsize=2, lw=1, elinewidth=0.7)
        label(axes, "depth", "test IoU (points)", linear=True)
        _whole_depths(axes, own)
    hollow = handle(Mark("#555555", "o", ""), "trained to this depth alone")
    hollow.set_markerfacecolor("white")
    _named(figure, looks, depth, [hollow] if has_alone(outputs, depth) else [])
    return figure


def embedded(table: pd.DataFrame, marks: Marks, depth: int) -> Figure:
    """Difference of test IoU between a head trained with all others and the same network trained alone, by depth."""
    models = first(table, "model")
    shifts = dict(zip(models, beside(len(models), 0.3), strict=True))
    figure, panels = panels_of(first(table, "encoder"))
    for encoder, axes in panels.items():
        zero(axes)
        for row in rows(table[table["encoder"] == encoder]):
            mark, middle = marks[row.model], 100 * row.difference
            reach = np.nan_to_num([[middle - 100 * row.low], [100 * row.high - middle]])
            look: Any = {"color": mark.colour, "marker": mark.marker, "ms": 5, "capsize": 2, "lw": 1}
            axes.errorbar(row.depth + shifts[row.model], middle, reach, **look)
        label(axes, "depth", "embedded less isolated (points of IoU)", linear=True)
        _whole_depths(axes, table)
    _named(figure, {model: marks[model] for model in models}, depth, [])
    return figure


def paired(isolated: pd.DataFrame, depth: int) -> pd.DataFrame:
    """Embedded minus isolated, one row for each head: beside the member's own isolated training where there is one.

    The table of tests has a row the other way round where the isolated network is the better.
    """
    if isolated.empty:
        return isolated
    heads = isolated["output"].str[1:].astype(int)
    turned = heads == [parse(model, depth)[1] for model in isolated["model"]]
    other = {"model": "against", "against": "model", "low": "high", "high": "low"}
    back = isolated[turned].rename(columns=other)
    back = back.assign(**{name: -back[name] for name in ("difference", "low", "high")})
    both = pd.concat([isolated[~turned], back[isolated.columns]]).sort_index().assign(depth=heads)
    strange = [parse(a, depth)[0] != parse(b, depth)[0] for a, b in zip(both["model"], both["against"], strict=True)]
    ranked = both.assign(strange=strange).sort_values("strange", kind="stable")
    return ranked.drop_duplicates(["dataset", "encoder", "model", "output"]).sort_index()


def has_several(outputs: pd.DataFrame, depth: int) -> bool:
    """Whether a member was tested at more than one depth."""
    counts = _heads(outputs, depth).groupby("member")["depth"].nunique()
    return bool(counts.max() > 1)


def has_alone(outputs: pd.DataFrame, depth: int) -> bool:
    """Whether a member was trained to a lesser depth alone."""
    return any(parse(model, depth)[1] < depth for model in _heads(outputs, depth)["model"])


def _heads(outputs: pd.DataFrame, depth: int) -> pd.DataFrame:
    """The heads of the family's networks, once each, with the member and the depth of each."""
    own = outputs[(outputs["output"] != "ensemble") & ~outputs["model"].map(is_outside).astype(bool)]
    own = own.drop_duplicates(["encoder", "model", "output"])
    members = [parse(model, depth)[0] for model in own["model"]]
    return own.drop(columns="depth", errors="ignore").assign(member=members, depth=own["output"].str[1:].astype(int))


def _whole_depths(axes: Axes, table: pd.DataFrame) -> None:
    axes.set_xticks(range(int(table["depth"].min()), int(table["depth"].max()) + 1))
    axes.set_xlim(table["depth"].min() - 0.4, table["depth"].max() + 0.4)


def _named(figure: Figure, looks: Marks, depth: int, more: list[Line2D]) -> None:
    handles = [*(handle(mark, title(name, depth)) for name, mark in looks.items()), *more]
    below(figure, handles)
