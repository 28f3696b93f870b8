"""The one idea: every member of the family is one grid of nodes, told apart by frozen data.

Node (i, j) is x^{i,j} of the papers: level i (0 is the finest), column j along the skip path. Column 0 is the
encoder. A decoder node reads the node below it, (i+1, j-1), upsampled, and some of the nodes to its left.
A member is *which* of those it reads, and the depths of its heads; everything else is derived here.

Source: arXiv 1912.05074, section III, equation 1.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from nestbench.errors import RequestError, unknown

Skips = Literal["first", "last", "all"]

MAX_DEPTH = 5


class Node(NamedTuple):
    """Position in the grid: level i, column j."""

    level: int
    column: int


@dataclass(frozen=True)
class Topology:
    """A member of the family: the columns that a decoder node reads, and the depths of its heads."""

    skips: Skips
    heads: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.skips not in ("first", "last", "all"):
            raise unknown("skips", self.skips, ("first", "last", "all"))
        if not self.heads or sorted(set(self.heads)) != list(self.heads):
            raise RequestError(f"heads {self.heads} must be different depths in rising order, at least one")
        if self.heads[0] < 1 or self.heads[-1] > MAX_DEPTH:
            raise RequestError(f"depth {self.heads} is not between 1 and {MAX_DEPTH}")

    @property
    def depth(self) -> int:
        """Depth of the deepest head, d of U-Net L^d."""
        return self.heads[-1]

    @property
    def deep_supervision(self) -> bool:
        """Whether more than one head is trained."""
        return len(self.heads) > 1

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what the network can answer with: each head's depth and, with several, their mean."""
        return tuple(f"L{d}" for d in self.heads) + (("ensemble",) if self.deep_supervision else ())

    @property
    def primary(self) -> str:
        """The output a member is judged by: the ensemble ("accurate" mode) where there is one, else its head."""
        return self.outputs[-1]

    def columns(self, node: Node) -> tuple[int, ...]:
        """Columns of the node's own level that it reads, left to right."""
        every = tuple(range(node.column))
        return {"first": every[:1], "last": every[-1:], "all": every}[self.skips]

    def parents(self, node: Node) -> tuple[Node, ...]:
        """All that a decoder node reads: the node below it first, then its skips (an encoder node reads none)."""
        if node.column == 0:
            return ()
        below = Node(node.level + 1, node.column - 1)
        return (below, *(Node(node.level, k) for k in self.columns(node)))

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The decoder nodes that exist, the ancestors of the heads, in an order in which they can be computed."""
        wanted: set[Node] = set()
        waiting = [Node(0, d) for d in self.heads]
        while waiting:
            node = waiting.pop()
            if node not in wanted:
                wanted.add(node)
                waiting.extend(self.parents(node))
        return tuple(sorted((n for n in wanted if n.column > 0), key=lambda n: (n.column, n.level)))

    @cached_property
    def places(self) -> tuple[Node, ...]:
        """Every node that exists: the encoder's, finest first, then the decoder's."""
        return (*(Node(level, 0) for level in range(self.depth + 1)), *self.nodes)

    def prune(self, depth: int) -> "Topology":
        """Keep only the head at ``depth``.

        Raises RequestError where no head was trained at that depth.
        """
        if depth not in self.heads:
            trained = ", ".join(str(d) for d in self.heads)
            raise RequestError(f"cannot prune to depth {depth}: a head was trained only at depth {trained}")
        return Topology(self.skips, (depth,))


class Member(NamedTuple):
    """A name of the family: its skips, whether every depth has a head, whether it is widened."""

    skips: Skips
    deep_supervision: bool
    wide: bool
    meaning: str


MEMBERS: dict[str, Member] = {
    "unet": Member("first", False, False, "U-Net: plain skips, one head"),
    "wide-unet": Member("first", False, True, "U-Net with at least the parameters of UNet++"),
    "unet-e": Member("first", True, False, "U-Net^e: U-Nets of every depth on one encoder, averaged"),
    "unet+": Member("last", False, False, "UNet+: each node reads its left neighbour, one head"),
    "unet+ds": Member("last", True, False, "UNet+ with deep supervision"),
    "unet++": Member("all", False, False, "UNet++: each node reads all nodes to its left, one head"),
    "unet++ds": Member("all", True, False, "UNet++ with deep supervision, can be pruned"),
}


DETECTORS: dict[str, Member] = {
    "maskrcnn": Member("first", False, False, "Mask R-CNN: the plain skips of its feature pyramid"),
    "maskrcnn+": Member("last", False, False, "Mask R-CNN whose pyramid has the nodes of UNet+"),
    "maskrcnn++": Member("all", False, False, "Mask R-CNN whose pyramid has the nodes of UNet++"),
}
"""Networks that find objects one by one: level i of their pyramid is the node x^{i,d-i} of the grid."""

GRIDS = MEMBERS | DETECTORS
"""Every name that stands for a grid."""


def parse(name: str, depth: int) -> tuple[str, int]:
    """Split ``unet++ds:2`` into the member and its depth; ``depth`` stands in where the name gives none."""
    member, _, own = name.partition(":")
    if member not in GRIDS:
        raise unknown("model", name, GRIDS)
    if own and not (own.isdecimal() and 1 <= int(own) <= MAX_DEPTH):
        raise RequestError(f"depth '{own}' of model '{name}' is not a whole number from 1 to {MAX_DEPTH}")
    return member, int(own) if own else depth


def topology(name: str, depth: int = 4) -> Topology:
    """Grid of a member by its name, e.g. ``topology("unet++ds", 4)``; ``unet:2`` is U-Net L2 whatever ``depth``."""
    member, depth = parse(name, depth)
    if not 1 <= depth <= MAX_DEPTH:
        raise RequestError(f"depth {depth} is not a whole number from 1 to {MAX_DEPTH}")
    skips, deep, _, _ = GRIDS[member]
    return Topology(skips, tuple(range(1, depth + 1)) if deep else (depth,))
