"""``nestbench model prune`` and ``export``: what is done to a file of weights."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nestbench.cli.answers import AsJson, say_json
from nestbench.errors import RequestError, unknown

if TYPE_CHECKING:
    from nestbench.model import AnyNetwork
    from nestbench.model.files import Use

FORMATS = ("onnx", "torch")

Weights = Annotated[Path, typer.Argument(metavar="WEIGHTS", help="A file of weights that a study wrote.")]


def prune(
    weights: Weights,
    depth: Annotated[int, typer.Option("--depth", metavar="D", help="Keep the head at this depth alone.")],
    out: Annotated[Path, typer.Option("--out", metavar="W", help="The smaller file of weights.")],
    as_json: AsJson = False,
) -> None:
    """Cut a network to what one of its heads needs; it then answers as that head did."""
    refuse_overwriting(weights, out)
    from nestbench.model import prune as pruned
    from nestbench.model import save

    whole, about = opened(weights)
    small = pruned(whole, depth)
    save(small, out, about)
    before, after = (sum(p.numel() for p in model.parameters()) for model in (whole, small))
    if as_json:
        say_json({"weights": str(out), "depth": depth, "parameters": {"before": before, "after": after}})
    else:
        typer.echo(f"{out}: depth {depth}, {after:,} of {before:,} parameters ({after / before:.1%})")


def export(
    weights: Weights,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The exported network.")],
    form: Annotated[str, typer.Option("--format", metavar="onnx|torch", help="onnx, or torch for torch.export.")],
    depth: Annotated[
        int | None, typer.Option("--depth", metavar="D", help="Export the network pruned to this depth.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a network for other programs, and run what was written beside it.

    It takes any batch, and any image from 2^(depth + 1) pixels a side, or from what the network itself needs: the
    answer says from how many.
    """
    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    refuse_overwriting(weights, out)
    from nestbench.model import prune as pruned
    from nestbench.model.export import least_side, require_onnx, write_onnx, write_torch

    if form == "onnx":
        require_onnx()
    whole, about = opened(weights)
    model = whole if depth is None else pruned(whole, depth)
    difference = (write_onnx if form == "onnx" else write_torch)(model, out, about)
    outputs, least = [f"L{d}" for d in model.spec.heads], least_side(model.spec)
    if as_json:
        say_json({"file": str(out), "format": form, "outputs": outputs, "difference": difference, "least_side": least})
    else:
        takes = f"takes any batch of images from {least} pixels a side"
        typer.echo(f"{out}: {', '.join(outputs)}; {_compared(difference)}; {takes}")


def _compared(difference: float | None) -> str:
    from nestbench.model.export import TOLERANCE

    if difference is None:
        return "not compared with its source: onnxruntime is not installed (pip install 'nestbench[export]')"
    return f"largest difference to its source {difference:.1e} (allowed: {TOLERANCE:.0e})"


def opened(weights: Path) -> tuple["AnyNetwork", "Use"]:
    """The network in a file of weights, and what the file says of its use."""
    from nestbench.model import load
    from nestbench.model.files import read_use

    return load(weights), read_use(weights)


def refuse_overwriting(weights: Path, out: Path) -> None:
    """Raise RequestError where ``out`` is a folder, or the file that is read."""
    if out.is_dir():
        raise RequestError(f"--out '{out}' is a folder: name a file in it")
    if out.exists() and weights.exists() and out.samefile(weights):
        raise RequestError(f"--out '{out}' is the file that is read: name another, so that nothing is lost")
