"""A member's grid of nodes drawn in letters, as in the papers' figure 1."""

from nestbench.topology import Node, Topology

_STEP = 4
_DOWN, _UP = (
    "\N{BOX DRAWINGS LIGHT DIAGONAL UPPER LEFT TO LOWER RIGHT}",
    "\N{BOX DRAWINGS LIGHT DIAGONAL UPPER RIGHT TO LOWER LEFT}",
)


def draw(grid: Topology) -> str:
    """Draw levels from top to bottom and columns from left to right; heads stand in brackets.

    A line to the left is a skip from the neighbour, a slanted one leads down the encoder or up the decoder;
    longer skips are told in words below.
    """
    rows = []
    for level in range(grid.depth + 1):
        rows += [_nodes(grid, level), _slopes(grid, level)]
    return "\n".join([*(row.rstrip() for row in rows[:-1]), "", *_legend(grid)])


def _nodes(grid: Topology, level: int) -> str:
    canvas = [" "] * _width(grid)
    for node in present(grid):
        if node.level == level and node.column - 1 in grid.columns(node):
            _put(canvas, _place(node) - 2 * _STEP + 1, "─" * (2 * _STEP - 1))
    for node in present(grid):
        if node.level == level:
            head = level == 0 and node.column in grid.heads
            _put(canvas, _place(node) - (2 if head else 1), f"[{name(node)}]" if head else name(node))
    return "".join(canvas)


def _slopes(grid: Topology, level: int) -> str:
    """The lines between a level and the one below it."""
    canvas = [" "] * _width(grid)
    for node in present(grid):
        if node.level == level and node.column == 0:
            _put(canvas, _place(node) + _STEP // 2, _DOWN)
        elif node.level == level:
            _put(canvas, _place(node) - _STEP // 2, _UP)
    return "".join(canvas)


def _legend(grid: Topology) -> list[str]:
    reads = {"first": "the encoder's node of its level", "last": "its left neighbour", "all": "every node to its left"}
    heads = "one head" if len(grid.heads) == 1 else f"{len(grid.heads)} heads, each trained"
    return [f"each decoder node reads the node below it and {reads[grid.skips]}; {heads}, in brackets"]


def present(grid: Topology) -> tuple[Node, ...]:
    """Every node that exists: the encoder's, then the decoder's."""
    return (*(Node(level, 0) for level in range(grid.depth + 1)), *grid.nodes)


def name(node: Node) -> str:
    """The papers' name without its comma: ``x04``."""
    return f"x{node.level}{node.column}"


def _place(node: Node) -> int:
    return 2 + _STEP * (node.level + 2 * node.column)


def _width(grid: Topology) -> int:
    return 5 + 2 * _STEP * grid.depth


def _put(canvas: list[str], at: int, text: str) -> None:
    canvas[at : at + len(text)] = text
