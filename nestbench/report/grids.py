"""The grid of each member, drawn from its topology alone."""

from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from nestbench.report.names import title
from nestbench.report.style import WIDTH
from nestbench.topology import Node, Topology, topology

_NODE = 11.0
"""Diameter of a node in points."""


def member_grids(models: tuple[str, ...], depth: int) -> Figure:
    """Draw nodes, skips and heads of each member; members with the same grid share a drawing."""
    grids: dict[Topology, list[str]] = {}
    for model in models:
        grids.setdefault(topology(model, depth), []).append(title(model, depth))
    columns = min(3, len(grids))
    rows = ceil(len(grids) / columns)
    figure = Figure(figsize=(WIDTH, 2.0 * rows))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    deepest = max(grid.depth for grid in grids)
    for one in axes:
        one.set_axis_off()
    for one, (grid, names) in zip(axes, grids.items(), strict=False):
        one.set_title(", ".join(names))
        _draw(one, grid, deepest)
    return figure


def _draw(axes: Axes, grid: Topology, deepest: int) -> None:
    encoder = tuple(Node(i, 0) for i in range(grid.depth + 1))
    for node in encoder[1:]:
        _arrow(axes, Node(node.level - 1, 0), node)
    for node in grid.nodes:
        below, *skips = grid.parents(node)
        _arrow(axes, below, node)
        for skip in skips:
            _arrow(axes, skip, node, dashed=True)
    for node in (*encoder, *grid.nodes):
        _node(axes, node, head=node.level == 0 and node.column in grid.heads)
    axes.set(xlim=(-0.6, deepest + 0.6), ylim=(-deepest - 0.5, 1.3), aspect="equal")


def _place(node: Node) -> tuple[float, float]:
    return node.column + node.level / 2, -float(node.level)


def _node(axes: Axes, node: Node, head: bool) -> None:
    x, y = _place(node)
    face = "#333333" if node.column == 0 else "white"
    ink = "white" if node.column == 0 else "black"
    axes.plot(x, y, "o", ms=_NODE, mfc=face, mec="#333333", mew=0.7, zorder=3)
    axes.text(x, y, f"{node.level}{node.column}", size=5, color=ink, ha="center", va="center_baseline", zorder=4)
    if head:
        axes.plot([x, x], [y, y + 0.72], color="#D55E00", lw=1.2, zorder=2)
        axes.text(x, y + 0.8, f"L{node.column}", size=6, color="#D55E00", ha="center", va="bottom")


def _arrow(axes: Axes, start: Node, end: Node, dashed: bool = False) -> None:
    span = end.column - start.column
    bend = -0.32 if dashed and span > 1 else 0.0
    axes.add_patch(
        FancyArrowPatch(
            _place(start),
            _place(end),
            arrowstyle="-|>",
            connectionstyle=f"arc3,rad={bend}",
            mutation_scale=5,
            shrinkA=_NODE / 2,
            shrinkB=_NODE / 2,
            lw=0.7,
            ls=(0, (3, 1.5)) if dashed else "-",
            color="#0072B2" if dashed else "#555555",
        )
    )
