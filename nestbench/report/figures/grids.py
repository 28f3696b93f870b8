"""Figures of the members' grids: all members of a study, or one with what it costs."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path as Line

from nestbench.report.figures.lattice import HEAD, SKIP, STEP, Look, arrow, draw_grid, head_room
from nestbench.report.figures.style import WIDTH, styled
from nestbench.report.names import title
from nestbench.results.atomic import replacing
from nestbench.topology import Node, Topology, topology

_UNDATED: dict[str, Any] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {}}

SUFFIXES = tuple(_UNDATED)
"""What a drawing can be written as."""

_DARK, _GREY = "#333333", "#555555"
SHADES = ("#173f5f", "#3d6f9e", "#80a9d0", "#b9d1e8", "#eaf1f8")
"""Faces of the nodes of depth 1, 2, ..: each lighter than the one before, on a grey print too."""

_UNIT = 0.9
"""Inches between two columns of a drawing of one member."""

_WIDE = 5.4
"""Width that the table needs, in units."""

_LINE = 0.25
"""Between two lines of text, in units."""

_TEXT = 7.5

_COLUMNS = (("network", 0.1, "left"), ("nodes", 0.46, "right"), ("parameters", 0.7, "right"), ("FLOPs", 0.95, "right"))
"""Name, place within the table's width, and side of its columns."""


class Cost(NamedTuple):
    """What a member costs when pruned to one depth, or whole, where depth is None."""

    depth: int | None
    parameters: str
    flops: str


def member_grids(models: tuple[str, ...], depth: int) -> Figure:
    """Draw nodes, skips and heads of each member; members with the same grid share a drawing."""
    grids: dict[Topology, list[str]] = {}
    for model in models:
        grids.setdefault(topology(model, depth), []).append(title(model, depth))
    columns = min(3, len(grids))
    rows = ceil(len(grids) / columns)
    figure = Figure(figsize=(WIDTH, 2.0 * rows))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    deepest, room = max(grid.depth for grid in grids), max(map(head_room, grids))
    for one in axes:
        one.set_axis_off()
    for one, (grid, names) in zip(axes, grids.items(), strict=False):
        one.set_title(", ".join(names))
        draw_grid(one, grid, Look(lambda node: f"{node.level}{node.column}", _by_role, 5.0), grid)
        one.set(xlim=(-0.4, deepest + 0.4), ylim=(-deepest - 0.4, room + 0.4), aspect="equal")
    return figure


def member_grid(grid: Topology, name: str, about: str, costs: Sequence[Cost], prune: int | None = None) -> Figure:
    """Draw one member with a table of what it costs; what pruning to depth ``prune`` removes is faint.

    The nodes of a member with several heads are shaded by the depth that they came with, as are the table's lines.
    """
    top, key = head_room(grid) + 1.1, -grid.depth - 0.6
    note = _note(grid, prune)
    foot = key - _LINE * (len(costs) + (4.2 if note else 3.2))
    width = max(_WIDE, grid.depth + 1.0)
    left = (grid.depth - width) / 2
    figure = Figure(figsize=(_UNIT * width, _UNIT * (top - foot)))
    figure.set_layout_engine("none")  # everything has its place already
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(left, left + width), ylim=(foot, top))
    axes.set_axis_off()
    axes.text(grid.depth / 2, top - 0.2, name, size=12, ha="center", va="top")
    axes.text(grid.depth / 2, top - 0.5, about, size=_TEXT, color=_GREY, ha="center", va="top")
    look = Look(_papers_name, _by_depth if grid.deep_supervision else _by_role, 9.0)
    draw_grid(axes, grid, look, grid.prune(prune) if prune else grid)
    _key(axes, key, left, width)
    _table(axes, grid, costs, key - 2 * _LINE, prune)
    axes.text(left + 0.05 * width, foot + 0.8 * _LINE, note, size=6.5, color=_GREY, va="center")
    return figure


def write_grid(figure: Figure, out: Path) -> Path:
    """Write a drawing as what its suffix, one of SUFFIXES, says; the same drawing gives the same bytes."""
    kind = out.suffix.lower()
    # Whoever looks at it may not have the font: letters become outlines in SVG, and are embedded whole in PDF.
    with styled(), rc_context({"svg.fonttype": "path", "pdf.fonttype": 42}), replacing(out) as beside:
        figure.savefig(beside, format=kind.removeprefix("."), dpi=200, metadata=_UNDATED[kind])
    return out


def _key(axes: Axes, y: float, left: float, width: float) -> None:
    """Say what nodes and arrows mean."""
    look = Look(_papers_name, _by_role, 9.0)
    for marker, meaning, share in (("s", "encoder", 0.05), ("o", "decoder", 0.215)):
        axes.plot(left + (share + 0.02) * width, y, marker, ms=9, mfc="white", mec=STEP.colour)
        axes.text(left + (share + 0.05) * width, y, meaning, size=_TEXT, va="center")
    for stroke, meaning, share in ((STEP, "down or up a level", 0.38), (SKIP, "skip", 0.685), (HEAD, "head", 0.835)):
        start = left + share * width
        arrow(axes, Line([(start, y), (start + 0.3, y)]), stroke, look)
        axes.text(start + 0.36, y, meaning, size=_TEXT, va="center")


def _table(axes: Axes, grid: Topology, costs: Sequence[Cost], top: float, prune: int | None) -> None:
    left, right = axes.get_xlim()
    width = right - left
    for line, thickness in ((0.6, 0.9), (-0.5, 0.4), (-0.6 - len(costs), 0.9)):
        axes.plot([left + 0.04 * width, right - 0.04 * width], [top + line * _LINE] * 2, color=_DARK, lw=thickness)
    _write(axes, tuple(name for name, _, _ in _COLUMNS), top, "normal")
    for index, cost in enumerate(costs, start=1):
        y = top - index * _LINE
        _write(axes, _line(grid, cost), y, "bold" if prune and cost.depth == prune else "normal")
        if grid.deep_supervision and cost.depth:
            face = SHADES[cost.depth - 1]
            axes.plot(left + 0.07 * width, y, "o", ms=7, mfc=face, mec=STEP.colour, mew=0.7)


def _write(axes: Axes, words: tuple[str, ...], y: float, weight: str) -> None:
    left, right = axes.get_xlim()
    for (_, share, side), word in zip(_COLUMNS, words, strict=True):
        axes.text(left + share * (right - left), y, word, size=_TEXT, ha=side, va="center", weight=weight)


def _line(grid: Topology, cost: Cost) -> tuple[str, ...]:
    kept = grid.prune(cost.depth) if cost.depth else grid
    pruned = f"pruned to L{cost.depth}" if cost.depth and grid.deep_supervision else f"L{grid.depth}"
    name = pruned if cost.depth else "whole, all heads"
    return name, str(len(kept.places)), cost.parameters, cost.flops


def _note(grid: Topology, prune: int | None) -> str:
    if not grid.deep_supervision:
        return ""
    faint = f" Dotted: removed by pruning to L{prune}." if prune else ""
    return f"Shade of a node: the first network above that has it.{faint}"


def _papers_name(node: Node) -> str:
    return f"$x^{{{node.level},{node.column}}}$"


def _by_role(node: Node) -> str:
    return _DARK if node.column == 0 else "white"


def _by_depth(node: Node) -> str:
    return SHADES[max(node.level + node.column, 1) - 1]
