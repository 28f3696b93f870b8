"""``nestbench model``: the family, and what each member costs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from nestbench.cli import weights
from nestbench.cli.answers import AsJson, say_json, say_table
from nestbench.cli.grid import draw
from nestbench.plugins import listed
from nestbench.topology import GRIDS

app = typer.Typer(help="Members of the family, their grids and sizes, and files of their weights.")


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the members of the family, and the packages that bring networks from outside it."""
    outside = listed("model")
    if as_json:
        members = [{"name": n} | member._asdict() for n, member in GRIDS.items()]
        say_json(members + [{"name": n, "package": package} for n, package in outside])
    else:
        rows = [(n, member.meaning) for n, member in GRIDS.items()]
        rows += [(f"{n}:<name>", f"networks from outside the family ({package})") for n, package in outside]
        say_table(("model", "meaning"), rows)


@app.command()
def show(
    model: Annotated[str, typer.Argument(metavar="NAME", help="A member, e.g. unet++ds, or unet:2 for U-Net L2.")],
    encoder: Annotated[str, typer.Option(help="E.g. plain, plain:16, timm:resnet18.")] = "plain",
    depth: Annotated[int, typer.Option(help="Depth where the name gives none.")] = 4,
    block: Annotated[str, typer.Option(help="modern or paper.")] = "modern",
    in_channels: Annotated[int, typer.Option(help="Channels of the image.")] = 1,
    classes: Annotated[int, typer.Option(help="Channels of the logits: 1 for two classes.")] = 1,
    dims: Annotated[int, typer.Option(help="2 for images, 3 for volumes.")] = 2,
    size: Annotated[int, typer.Option(min=1, help="Pixels a side, for which FLOPs are counted.")] = 96,
    prune: Annotated[int | None, typer.Option(help="Show what pruning to this depth removes.")] = None,
    out: Annotated[Path | None, typer.Option(help="Draw the grid into this .svg, .png or .pdf as well.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a member's grid and count what it costs at each depth that it can be pruned to."""
    from nestbench.study.models import check_model

    check_model(model, depth)  # before torch is imported: a wrong name is answered at once
    from nestbench.cli import portrait
    from nestbench.model.build import specify

    if out is not None:
        portrait.check_drawing(out)
    asked: Any = (model, encoder, depth, block, in_channels, classes, dims)  # the spec refuses what cannot be
    spec = specify(*asked)
    if prune is not None:
        spec.prune(prune)  # is refused before anything is measured
    taken = portrait.take(model, spec, size)
    if out is not None:
        portrait.write_drawing(taken, depth, prune, out)
    if as_json:
        say_json(portrait.described(taken) | ({"out": str(out)} if out else {}))
        return
    typer.echo(f"{model} on {taken.about}, {' x '.join(map(str, taken.image))}\n")
    if taken.grid:
        typer.echo(f"{draw(taken.grid, prune)}\n")
    say_table(("depth", ">parameters", ">FLOPs", "what pruning removes"), portrait.rows(taken))
    if out is not None:
        typer.echo(out)


app.command()(weights.prune)
app.command()(weights.export)
