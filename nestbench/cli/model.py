"""``nestbench model``: the family, and what each member costs."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestbench.cli.answers import AsJson, amount, say_json, say_table
from nestbench.cli.grid import draw, name, present
from nestbench.topology import MEMBERS, Topology, topology

if TYPE_CHECKING:
    from nestbench.model import ModelSpec

app = typer.Typer(help="Members of the family, their grids and sizes.")


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the members of the family."""
    if as_json:
        say_json([{"name": n} | member._asdict() for n, member in MEMBERS.items()])
    else:
        say_table(("model", "meaning"), [(n, member.meaning) for n, member in MEMBERS.items()])


@app.command()
def show(
    model: Annotated[str, typer.Argument(metavar="NAME", help="A member, e.g. unet++ds, or unet:2 for U-Net L2.")],
    encoder: Annotated[str, typer.Option(help="E.g. plain, plain:16, timm:resnet18.")] = "plain",
    depth: Annotated[int, typer.Option(help="Depth where the name gives none.")] = 4,
    block: Annotated[str, typer.Option(help="modern or paper.")] = "modern",
    in_channels: Annotated[int, typer.Option(help="Channels of the image.")] = 1,
    classes: Annotated[int, typer.Option(help="Channels of the logits: 1 for two classes.")] = 1,
    size: Annotated[int, typer.Option(min=1, help="Pixels a side, for which FLOPs are counted.")] = 96,
    as_json: AsJson = False,
) -> None:
    """Draw a member's grid and count what it costs at each depth that it can be pruned to."""
    grid = topology(model, depth)
    spec, whole, depths = _measured(model, encoder, depth, block, in_channels, classes, size)
    if as_json:
        asked = {"model": model, "encoder": spec.encoder, "depth": grid.depth, "block": block}
        say_json(
            asked | {"in_channels": in_channels, "classes": classes} | whole | _described(grid) | {"depths": depths}
        )
        return
    typer.echo(f"{model} on {spec.encoder}, block {block}, {in_channels} x {size} x {size}\n\n{draw(grid)}\n")
    rows = [(f"L{d['depth']}", f"{d['parameters']:,}", amount(d["flops"]), _removed(grid, d["depth"])) for d in depths]
    if grid.deep_supervision:
        rows.append(("all", f"{whole['parameters']:,}", amount(whole["flops"]), ""))
    say_table(("depth", ">parameters", ">FLOPs", "what pruning removes"), rows)


def _measured(*asked: Any) -> tuple["ModelSpec", dict[str, int], list[dict[str, int]]]:
    """The network's spec, its size, and the sizes of the networks that it can be pruned to."""
    from dataclasses import asdict, replace

    from nestbench.model.build import specify
    from nestbench.model.size import network_size

    *network, size = asked
    spec = specify(*network)
    pruned = {d: replace(spec, topology=spec.topology.prune(d)) for d in spec.topology.heads}
    depths = [{"depth": d} | asdict(network_size(small, size)) for d, small in pruned.items()]
    return spec, asdict(network_size(spec, size)), depths


def _described(grid: Topology) -> dict[str, Any]:
    nodes = [
        {"name": name(n), "level": n.level, "column": n.column, "reads": [name(p) for p in grid.parents(n)]}
        for n in present(grid)
    ]
    return {"heads": list(grid.heads), "nodes": nodes}


def _removed(grid: Topology, depth: int) -> str:
    kept = present(grid.prune(depth))
    return " ".join(name(n) for n in present(grid) if n not in kept) or "nothing"
