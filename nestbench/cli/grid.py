"""A member's grid of nodes drawn in letters, as in the papers' figure 1."""

from nestbench.topology import Node, Topology

_STEP = 4
_GONE = "\N{MIDDLE DOT}"
_DOWN, _UP = (
    "\N{BOX DRAWINGS LIGHT DIAGONAL UPPER LEFT TO LOWER RIGHT}",
    "\N{BOX DRAWINGS LIGHT DIAGONAL UPPER RIGHT TO LOWER LEFT}",
)


def draw(grid: Topology, prune: int | None = None) -> str:
    """Draw levels from top to bottom and columns from left to right; heads stand in brackets.

    A line to the left is a skip from the neighbour, a slanted one leads down the encoder or up the decoder;
    longer skips are told in words below. Of a node that pruning to depth ``prune`` removes only a dot is left.
    """
    kept = grid.prune(prune) if prune else grid
    rows = []
    for level in range(grid.depth + 1):
        rows += [_nodes(grid, kept, level), _slopes(kept, level, _width(grid))]
    return "\n".join([*(row.rstrip() for row in rows[:-1]), "", *_legend(grid, kept)])


def _nodes(grid: Topology, kept: Topology, level: int) -> str:
    canvas, left = [" "] * _width(grid), kept.places
    for node in left:
        if node.level == level and node.column - 1 in kept.columns(node):
            _put(canvas, _place(node) - 2 * _STEP + 1, "─" * (2 * _STEP - 1))
    for node in grid.places:
        if node.level == level and node not in left:
            _put(canvas, _place(node), _GONE)
        elif node.level == level:
            head = level == 0 and node.column in kept.heads
            _put(canvas, _place(node) - (2 if head else 1), f"[{name(node)}]" if head else name(node))
    return "".join(canvas)


def _slopes(grid: Topology, level: int, width: int) -> str:
    """The lines between a level and the one below it."""
    canvas = [" "] * width
    for node in grid.places:
        if node.level == level < grid.depth and node.column == 0:
            _put(canvas, _place(node) + _STEP // 2, _DOWN)
        elif node.level == level and node.column > 0:
            _put(canvas, _place(node) - _STEP // 2, _UP)
    return "".join(canvas)


def _legend(grid: Topology, kept: Topology) -> list[str]:
    reads = {"first": "the encoder's node of its level", "last": "its left neighbour", "all": "every node to its left"}
    heads = "one head" if len(kept.heads) == 1 else f"{len(kept.heads)} heads, each trained"
    gone = f"; {_GONE} is what pruning to depth {kept.depth} removes" if kept.places != grid.places else ""
    return [f"each decoder node reads the node below it and {reads[kept.skips]}; {heads}, in brackets{gone}"]


def name(node: Node) -> str:
    """The papers' name without its comma: ``x04``."""
    return f"x{node.level}{node.column}"


def _place(node: Node) -> int:
    return 2 + _STEP * (node.level + 2 * node.column)


def _width(grid: Topology) -> int:
    return 5 + 2 * _STEP * grid.depth


def _put(canvas: list[str], at: int, text: str) -> None:
    canvas[at : at + len(text)] = text
