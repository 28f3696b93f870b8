"""One grid drawn on axes: nodes, what each reads, and heads, for whoever composes a figure of it.

One unit of the axes is the distance of two columns, and of two levels.
"""

from collections.abc import Callable, Iterator
from math import cos, radians, sin
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from nestbench.topology import Node, Topology

RADIUS = 0.21
"""Of a decoder's node, in units."""

_SQUARE, _ROUND = 0.19, 0.05
"""Half a side of an encoder's node, and the radius of its corners, in units."""

_THICK = 0.11
"""Of a line, in sizes of a letter."""

Point = tuple[float, float]


class Stroke(NamedTuple):
    """How one kind of line is drawn: apart by its colour, and by its dashes on a grey print."""

    colour: str
    dash: Any


STEP, SKIP = Stroke("#333333", "-"), Stroke("#0072B2", (0, (3, 1.5)))
HEAD, GONE = Stroke("#D55E00", "-"), Stroke("#9a9a9a", (0, (1, 1.6)))


class Look(NamedTuple):
    """What the nodes are called and filled with, and how large letters and lines are."""

    name: Callable[[Node], str]
    face: Callable[[Node], str]
    letters: float
    """Size of a node's name in points; the thickness of lines follows from it."""


def draw_grid(axes: Axes, grid: Topology, look: Look, kept: Topology) -> None:
    """Draw a grid with node (0, 0) at the origin; what is not part of ``kept`` is faint."""
    left = set(kept.places)
    # Later lines lie on top of earlier ones, so those that are gone come first.
    for start, end in sorted(edges(grid), key=left.issuperset):
        stroke = GONE if not {start, end} <= left else SKIP if start.level == end.level else STEP
        arrow(axes, route(grid, start, end), stroke, look)
    for node in grid.places:
        _node(axes, node, look, gone=node not in left)
    for depth in grid.heads:
        _head(axes, depth, head_room(grid), look, HEAD if depth in kept.heads else GONE)


def edges(grid: Topology) -> Iterator[tuple[Node, Node]]:
    """Every pair of nodes of which the second reads the first."""
    for node in grid.places:
        if node.column == 0 and node.level > 0:
            yield Node(node.level - 1, 0), node
        for parent in grid.parents(node):
            yield parent, node


def place(node: Node) -> Point:
    """Centre of a node: each level stands half a column further to the right than the one above."""
    return node.column + node.level / 2, -float(node.level)


def route(grid: Topology, start: Node, end: Node) -> Path:
    """The line from the rim of one node to that of another: straight, or else over the nodes that stand between."""
    return _over(start, end) if _blocked(grid, start, end) else _straight(place(start), place(end))


def head_room(grid: Topology) -> float:
    """How far the heads' arrows reach above the first level: beyond every skip of it."""
    spans = [b.column - a.column for a, b in edges(grid) if a.level == 0 and _blocked(grid, a, b)]
    return _rise(max(spans)) + 0.2 if spans else 0.6


def arrow(axes: Axes, line: Path, stroke: Stroke, look: Look) -> None:
    """Draw an arrow along a line, as large as suits the letters."""
    size: Any = {"mutation_scale": 0.9 * look.letters, "lw": _THICK * look.letters}
    axes.add_patch(FancyArrowPatch(path=line, arrowstyle="-|>", ls=stroke.dash, color=stroke.colour, **size))


def luminance(colour: str) -> float:
    """How bright a colour is on a grey print, from 0 to 1 (ITU-R BT.601)."""
    red, green, blue = to_rgb(colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _node(axes: Axes, node: Node, look: Look, gone: bool) -> None:
    """A square for the encoder, a circle for the decoder."""
    (x, y), face, rim = place(node), "white" if gone else look.face(node), GONE if gone else STEP
    fill: Any = {"fc": face, "ec": rim.colour, "ls": rim.dash, "lw": _THICK * look.letters, "zorder": 3}
    if node.column == 0:
        half = _SQUARE - _ROUND
        box = FancyBboxPatch((x - half, y - half), 2 * half, 2 * half, boxstyle=f"round,pad={_ROUND}", **fill)
        axes.add_patch(box)
    else:
        axes.add_patch(Circle((x, y), RADIUS, **fill))
    ink = GONE.colour if gone else _ink_on(face)
    axes.text(x, y, look.name(node), size=look.letters, color=ink, ha="center", va="center", zorder=4)


def _head(axes: Axes, depth: int, room: float, look: Look, stroke: Stroke) -> None:
    arrow(axes, Path([(depth, RADIUS), (depth, room)]), stroke, look)
    axes.text(depth, room + 0.05, f"L{depth}", size=1.1 * look.letters, color=stroke.colour, ha="center", va="bottom")


def _blocked(grid: Topology, start: Node, end: Node) -> bool:
    """Whether a node of the level of ``start`` stands between; a node of another level never does."""
    return any(Node(start.level, column) in grid.nodes for column in range(start.column + 1, end.column))


def _straight(start: Point, end: Point) -> Path:
    across, up = end[0] - start[0], end[1] - start[1]
    share = RADIUS / (across**2 + up**2) ** 0.5
    step = share * across, share * up
    return Path([(start[0] + step[0], start[1] + step[1]), (end[0] - step[0], end[1] - step[1])])


def _over(start: Node, end: Node) -> Path:
    """A curve over the nodes between; the longer it is, the higher it goes and the steeper it leaves and lands."""
    span = end.column - start.column
    angle = radians(8 + 15 * span)
    reach = (_rise(span) / sin(angle) - RADIUS) / 0.75 + RADIUS  # a cubic rises by 3/4 of what its control points do
    (left, base), (right, _) = place(start), place(end)
    points = [(left + r * cos(angle), base + r * sin(angle)) for r in (RADIUS, reach)]
    points += [(right - r * cos(angle), base + r * sin(angle)) for r in (reach, RADIUS)]
    return Path(points, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])


def _rise(span: int) -> float:
    """Height of a curve over the centres of its nodes: clear of the nodes between, and of the level above."""
    return 0.12 + 0.14 * span


def _ink_on(face: str) -> str:
    """Black or white, whichever reads better on a colour."""
    return "white" if luminance(face) < 0.5 else "black"
