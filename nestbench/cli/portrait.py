"""What ``model show`` shows of a network: its grid, where it has one, and what it costs at each depth."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nestbench.cli.answers import amount
from nestbench.cli.grid import name
from nestbench.errors import RequestError
from nestbench.model.size import Size, network_size
from nestbench.model.spec import ModelSpec, Spec
from nestbench.report.figures.grids import SUFFIXES, Cost, member_grid, write_grid
from nestbench.report.figures.style import styled
from nestbench.report.names import TIMES, title
from nestbench.topology import Topology


@dataclass(frozen=True)
class Portrait:
    """A network as it is shown; sizes are of the whole network and of what it can be pruned to, by depth."""

    model: str
    spec: Spec
    image: tuple[int, ...]
    """Channels and sides of the image for which operations are counted."""
    whole: Size
    pruned: dict[int, Size]

    @property
    def grid(self) -> Topology | None:
        """The member's grid; None for a network from outside the family."""
        return self.spec.topology if isinstance(self.spec, ModelSpec) else None

    @property
    def about(self) -> str:
        """Encoder and block."""
        return (
            f"{self.spec.encoder}, block {self.spec.block}" if isinstance(self.spec, ModelSpec) else self.spec.encoder
        )


def take(model: str, spec: Spec, size: int) -> Portrait:
    """Measure a network, and each that it can be pruned to, for an image of ``size`` pixels a side."""
    pruned = {depth: network_size(spec.prune(depth), size) for depth in spec.heads}
    return Portrait(model, spec, (spec.in_channels, *(size,) * spec.dims), network_size(spec, size), pruned)


def costs(portrait: Portrait) -> list[Cost]:
    """A line for each depth, and one for all heads together where there are several."""
    sizes: list[tuple[int | None, Size]] = [*portrait.pruned.items()]
    if len(sizes) > 1:
        sizes.append((None, portrait.whole))
    return [Cost(depth, f"{size.parameters:,}", amount(size.flops)) for depth, size in sizes]


def rows(portrait: Portrait) -> list[tuple[str, str, str, str]]:
    """The same lines for a table, with what pruning removes."""
    return [
        (f"L{cost.depth}", cost.parameters, cost.flops, " ".join(_removed(portrait, cost.depth)) or "nothing")
        if cost.depth
        else ("all", cost.parameters, cost.flops, "")
        for cost in costs(portrait)
    ]


def described(portrait: Portrait) -> dict[str, Any]:
    """All of it as plain data."""
    spec, grid = portrait.spec, portrait.grid
    asked = {"model": portrait.model, "encoder": spec.encoder, "depth": spec.depth, "dims": spec.dims}
    asked |= {"block": spec.block} if isinstance(spec, ModelSpec) else {}
    asked |= {"in_channels": spec.in_channels, "classes": spec.classes, "heads": list(spec.heads)}
    depths = [{"depth": d} | asdict(size) | {"removed": _removed(portrait, d)} for d, size in portrait.pruned.items()]
    return asked | asdict(portrait.whole) | {"nodes": _nodes(grid) if grid else [], "depths": depths}


def check_drawing(out: Path) -> None:
    """Raise RequestError for a file that no drawing can be written to."""
    if out.suffix.lower() not in SUFFIXES:
        raise RequestError(f"--out '{out}' is not a drawing: its name must end in one of {', '.join(SUFFIXES)}")


def write_drawing(portrait: Portrait, depth: int, prune: int | None, out: Path) -> None:
    """Draw the grid into a file; ``depth`` is the one that goes without saying.

    Raises RequestError for a network from outside the family.
    """
    if portrait.grid is None:
        raise RequestError(f"'{portrait.model}' is not of the family: it has no grid to draw")
    about = f"{portrait.about}; FLOPs of {f' {TIMES} '.join(map(str, portrait.image))}"
    with styled():
        figure = member_grid(portrait.grid, title(portrait.model, depth), about, costs(portrait), prune)
        write_grid(figure, out)


def _removed(portrait: Portrait, depth: int) -> list[str]:
    if portrait.grid is None:
        return []
    kept = portrait.grid.prune(depth).places
    return [name(node) for node in portrait.grid.places if node not in kept]


def _nodes(grid: Topology) -> list[dict[str, Any]]:
    return [
        {"name": name(n), "level": n.level, "column": n.column, "reads": [name(p) for p in grid.parents(n)]}
        for n in grid.places
    ]
