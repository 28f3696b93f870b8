"""``nestbench encoder``: what an image can be encoded with."""

from typing import Annotated

import typer

from nestbench.cli.answers import AsJson, say_json, say_table
from nestbench.errors import RequestError
from nestbench.plugins import available

app = typer.Typer(help="Encoders: what lies below the decoder.")


@app.command("list")
def list_encoders(
    pattern: Annotated[str, typer.Argument(help="List timm's models of this name instead, e.g. 'convnext*'.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the installed encoders; with PATTERN, the models of timm that can stand behind 'timm:'."""
    rows = _variants(pattern) if pattern else _installed()
    if as_json:
        say_json([{"name": name, "package": package} for name, package in rows])
    else:
        say_table(("encoder", "package"), rows)


def _installed() -> list[tuple[str, str]]:
    return [
        (name, point.dist.name if point.dist else point.module) for name, point in sorted(available("encoder").items())
    ]


def _variants(pattern: str) -> list[tuple[str, str]]:
    from nestbench.encoders.timm import names

    found = names(pattern.removeprefix("timm:"))
    if not found:
        raise RequestError(f"no model of timm is named '{pattern}'; '*' stands for any letters, e.g. '*resnet*'")
    return [(f"timm:{name}", "timm") for name in found]
