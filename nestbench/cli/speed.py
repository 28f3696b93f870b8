"""``nestbench speed``: how fast a network is at each of its depths, on this machine."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestbench.cli.answers import AsJson, say_json
from nestbench.cli.predict import Kind
from nestbench.cli.study_file import Device, checked_device
from nestbench.errors import RequestError

if TYPE_CHECKING:
    from nestbench.model import AnyNetwork
    from nestbench.speed.survey import Say, Survey

DEPTH = 4
"""Where a member's name gives none."""
SIDES = {2: 96, 3: 32}
"""Pixels a side where neither the request nor a file says how many, by dimensions."""

MOST_CHANNELS, MOST_CLASSES = 2**15 - 1, 2**8
"""What the files hold that the network is timed on: a NIfTI along an axis, a mask in a pixel."""
MOST_ROUNDS = 10_000
"""Far more than the rarest percentile needs; the intervals draw that many rounds two thousand times."""
OPEN = "10 to 200, in about 20 s"

Network = Annotated[str, typer.Argument(metavar="WEIGHTS|MEMBER", help="A file of weights, or a name: unet++ds.")]
Channels = Annotated[int | None, typer.Option(max=MOST_CHANNELS, help="Of a member's images.", show_default="1")]
Classes = Annotated[int | None, typer.Option(max=MOST_CLASSES, help="Of a member's logits.", show_default="1")]
Depths = Annotated[
    str | None,
    typer.Option("--depths", metavar="D,..", help="E.g. 1,4 or 2,all.", show_default="every head, and all at once"),
]
Size = Annotated[
    int | None, typer.Option("--size", min=1, help="Pixels a side.", show_default="as trained, or 96, in 3D 32")
]
Rounds = Annotated[
    int | None, typer.Option("--rounds", min=1, max=MOST_ROUNDS, help="Passes of each network.", show_default=OPEN)
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the JSON into this file too.")]


def speed(
    network: Network,
    encoder: Annotated[str | None, typer.Option(help="Of a member.", show_default="plain")] = None,
    block: Annotated[str | None, typer.Option(help="Of a member: modern or paper.", show_default="modern")] = None,
    in_channels: Channels = None,
    classes: Classes = None,
    dims: Annotated[int | None, typer.Option(help="Of a member: 2 or 3.", show_default="2")] = None,
    size: Size = None,
    batch: Annotated[int, typer.Option(min=1, help="Images that go through the network at once.")] = 1,
    depths: Depths = None,
    engine: Kind = "torch",
    device: Device = "auto",
    rounds: Rounds = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Time a network at each depth that it can be cut to: alone, and from an image's file to its mask's.

    All depths take turns in every round, after a warm-up. A member is timed untrained: time does not depend on weights.
    """
    own = {"encoder": encoder, "block": block, "in_channels": in_channels, "classes": classes, "dims": dims}
    asked = {name: value for name, value in own.items() if value is not None}
    checked_device(device)
    _check(network, asked, size, out)
    from nestbench.cli import paces
    from nestbench.datasets.open import cache_root
    from nestbench.engine import plan_for
    from nestbench.results.atomic import writable, write_json
    from nestbench.speed.survey import Setting, survey

    whole, trained = _opened(network, asked)
    networks = cut(whole, depths)
    if out is not None:
        writable(out.parent)  # said to be wrong before it is needed
    plan = plan_for(engine, device, cache_root())
    setting = Setting(size or trained or SIDES[whole.spec.dims], batch, plan, engine, rounds)
    found = _followed(lambda say: survey(networks, setting, say), quiet=as_json)
    content = paces.described(network, whole.spec, setting, found)
    if out is not None:
        write_json(out, content)
    if as_json:
        say_json(content)
    else:
        paces.say(network, whole.spec, setting, found)


def cut(whole: "AnyNetwork", depths: str | None) -> "dict[str, AnyNetwork]":
    """The networks of some depths by their outputs, e.g. ``1,4`` or ``2,all``; None for every head, and all at once.

    Raises RequestError for a depth without a head, and for what is no depth.
    """
    from nestbench.model import prune
    from nestbench.speed.survey import ALL

    heads = [str(depth) for depth in whole.spec.heads]
    words = [*heads, *[ALL][: len(heads) - 1]] if depths is None else [w.strip().lower() for w in depths.split(",")]
    for word in words:
        if word != ALL and not word.isdecimal():
            raise RequestError(f"--depths '{depths}' holds '{word}', which is neither a depth nor '{ALL}'")
    numbers = sorted({int(word) for word in words if word != ALL})
    cuts = {f"L{depth}": prune(whole, depth) for depth in numbers}
    return cuts | ({ALL: whole} if ALL in words else {})


def _check(network: str, asked: dict[str, Any], size: int | None, out: Path | None) -> None:
    """Answer a wrong request before the heavy rooms are imported."""
    from nestbench.cli.weights import refuse_overwriting
    from nestbench.study.data import MAX_SIZE
    from nestbench.topology import MEMBERS

    if Path(network).is_dir() and network not in MEMBERS:
        raise RequestError(f"'{network}' is a folder: name a file of weights, or one of {', '.join(MEMBERS)}")
    if out is not None:
        refuse_overwriting(Path(network), out)
    if size is not None and size > MAX_SIZE:
        raise RequestError(f"--size {size} is too large: no study and no prediction resizes images beyond {MAX_SIZE}")
    if _is_file(network):
        if asked:
            option = next(iter(asked)).replace("_", "-")
            raise RequestError(f"--{option} is for members: the file '{network}' holds its own network")
    else:
        from nestbench.study.models import check_model

        check_model(network, DEPTH)


def _is_file(network: str) -> bool:
    path = Path(network)
    return path.is_file() or path.suffix == ".safetensors" or path.name != network


def _opened(network: str, asked: dict[str, Any]) -> "tuple[AnyNetwork, int | None]":
    """The network, and the pixels a side that it was trained with where a file says so."""
    from nestbench.model.detector import refuse_detector

    if _is_file(network):
        from nestbench.cli.weights import opened

        model, about = opened(Path(network))
        refuse_detector(model.spec)
        return model, about.size
    from nestbench.model import construct
    from nestbench.model.build import count_parameters, specify
    from nestbench.speed.memory import refuse_beyond

    spec = specify(network, depth=DEPTH, **asked)
    refuse_detector(spec)
    refuse_beyond(f"'{network}' with these options", 4 * count_parameters(spec), "cpu")
    return construct(spec).eval(), None


def _followed(work: "Callable[[Say], Survey]", quiet: bool) -> "Survey":
    """Show on stderr what is being measured, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("", total=1)
        return work(lambda what, done, total: bar.update(task, description=what, completed=done, total=total))
