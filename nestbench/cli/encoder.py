"""``nestbench encoder``: what an image can be encoded with."""

from typing import Annotated

import typer

from nestbench.cli.answers import AsJson, say_json, say_table
from nestbench.errors import RequestError
from nestbench.plugins import listed

app = typer.Typer(help="Encoders: what lies below the decoder.")


@app.command("list")
def list_encoders(
    pattern: Annotated[str, typer.Argument(help="List timm's models of this name instead, e.g. 'convnext*'.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the installed encoders; with PATTERN, the models of timm that can stand behind 'timm:'."""
    rows = _variants(pattern) if pattern else listed("encoder")
    if as_json:
        say_json([{"name": name, "package": package} for name, package in rows])
    else:
        say_table(("encoder", "package"), rows)


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="The encoder as in a study file, e.g. 'timm:resnet18'.")],
    depth: Annotated[int, typer.Option(min=1, help="How many levels lie below the image's own.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Check that an encoder keeps the contract, promise by promise; exit code 1 where one is broken."""
    from nestbench.testing import Subject, encoder_failures

    answers = []
    for promise, failure in encoder_failures(Subject(name, depth)):
        answers.append({"check": promise, "ok": not failure, "wants": failure})
        if not as_json:
            typer.echo(f"{'failed' if failure else 'ok':<8}{promise}{f': {failure}' if failure else ''}")
    if as_json:
        say_json({"encoder": name, "depth": depth, "checks": answers})
    if not all(answer["ok"] for answer in answers):
        raise typer.Exit(1)


def _variants(pattern: str) -> list[tuple[str, str]]:
    from nestbench.encoders.timm import names

    found = names(pattern.removeprefix("timm:"))
    if not found:
        raise RequestError(f"no model of timm is named '{pattern}'; '*' stands for any letters, e.g. '*resnet*'")
    return [(f"timm:{name}", "timm") for name in found]
