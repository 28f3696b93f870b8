"""``nestbench predict``: images to masks, by a file of weights."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestbench.cli.answers import AsJson, say_json
from nestbench.cli.predicted import as_data, facts, in_words
from nestbench.cli.study_file import Device, checked_device
from nestbench.cli.weights import opened
from nestbench.errors import RequestError, unknown

if TYPE_CHECKING:
    from nestbench.engine import Engine
    from nestbench.find import Finder
    from nestbench.machine import Plan
    from nestbench.model import AnyNetwork
    from nestbench.model.files import Use
    from nestbench.predict.batch import Done

OWN = "own"

Depth = Annotated[int | None, typer.Option("--depth", metavar="D", help="Prune to D; else all heads answer together.")]
Size = Annotated[
    str | None,
    typer.Option(
        "--size", metavar="N|own", help="Pixels a side to resize to; own: as they are.", show_default="as trained"
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        "--window", metavar="PX", help="Longer sides go in windows.", show_default="as trained, or 1024, in 3D 128"
    ),
]


def _known(engine: str) -> str:
    """Answer a wrong name before the heavy rooms are imported."""
    from nestbench.study.schema import ENGINES

    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    return engine


Kind = Annotated[
    str,
    typer.Option("--engine", metavar="torch|openvino", callback=_known, help="torch, or openvino on the CPU."),
]


def predict(
    weights: Annotated[Path, typer.Argument(metavar="WEIGHTS", help="A file of weights that a study wrote.")],
    images: Annotated[list[str], typer.Argument(metavar="IMAGE", help="Files, folders, DICOM series, patterns.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder of the masks.")],
    depth: Depth = None,
    device: Device = "auto",
    engine: Kind = "torch",
    size: Size = None,
    window: Window = None,
    overlap: Annotated[float, typer.Option("--overlap", metavar="F", help="Share of a window that two share.")] = 0.5,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Write them too, as NAME.npy.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the mask of each image: pictures, NIfTI, NRRD, MetaImage, TIFF and DICOM series, in 2D and 3D, of any size.

    Images are taken as those that the weights were trained on. A mask holds the
    index of each pixel's class, in the format of its image and where that lies;
    but a DICOM series NAME gets NAME.nii.gz, .mhd .mha, JPEG and BMP PNG. By
    weights of a study with task: instance it holds the number of each pixel's
    object, in 16 bits, and 0 where there is none.

    Where training had a file for each channel, as nnU-Net's NAME_0000.nii.gz and
    NAME_0001.nii.gz or BraTS's Flair and T1c in a patient's folder, they are put
    together: name the files, the folder of all, or folders of patients.

    An image that is damaged, or does not fit, does not stop the others.
    """
    asked = _asked(size)
    checked_device(device)
    from nestbench.datasets.open import cache_root
    from nestbench.engine import plan_for
    from nestbench.predict.batch import predict_files
    from nestbench.predict.masks import check_options
    from nestbench.predict.tasks import check_tasks, find_images, plan_tasks
    from nestbench.results.atomic import writable

    plan = plan_for(engine, device, cache_root())
    model, about = _opened(weights, depth, asked)
    _refuse_apart(model, about, probabilities, window)
    tasks = plan_tasks(find_images(images, about.marks), out, probabilities)
    check_options(model.spec, about.size, window, overlap, about.patch)
    check_tasks(tasks, model.spec)
    plan.enter()
    ready = _ready(model, plan, engine)
    writable(out)
    done = _follow(predict_files(ready, tasks, about, window, overlap), len(tasks), quiet=as_json)
    if as_json:
        said = {"weights": str(weights), "output": model.spec.outputs[-1], **facts(model, about, window)}
        say_json(said | {"images": [as_data(one) for one in done]})
    else:
        what = "masks" if all(one.objects is None for one in done) else "objects"
        good = f"{sum(not one.reason for one in done)} of {len(done)} images to {what} in {out}"
        typer.echo(f"{good} by {model.spec.outputs[-1]}, {in_words(about, window)}")
    if any(one.reason for one in done):
        raise typer.Exit(1)


def _opened(weights: Path, depth: int | None, asked: dict[str, Any]) -> "tuple[AnyNetwork, Use]":
    """The network, pruned if that is asked for, and how it is to see images: a Mask R-CNN whole, however it learnt."""
    from nestbench.model import Detector, prune

    model, about = opened(weights)
    if isinstance(model, Detector):
        about = replace(about, patch=None)
    return model if depth is None else prune(model, depth), replace(about, **asked)


def _ready(model: "AnyNetwork", plan: "Plan", engine: str) -> "Engine | Finder":
    """The network, ready to answer."""
    from nestbench.engine import make_engine
    from nestbench.find import make_finder
    from nestbench.model import Detector

    if not isinstance(model, Detector):
        return make_engine(model, plan, engine)
    if engine != "torch":
        raise RequestError(f"engine '{engine}' takes networks of classes, and no Mask R-CNN (allowed: torch)")
    return make_finder(model, plan)


def _refuse_apart(model: "AnyNetwork", about: "Use", probabilities: bool, window: int | None) -> None:
    from nestbench.model import Detector

    whole = isinstance(model, Detector)
    if probabilities and (whole or about.apart is not None):
        raise RequestError("--probabilities are of classes, and these weights tell objects apart")
    if whole and window is not None:
        raise RequestError("--window is for networks of classes, and these weights' Mask R-CNN sees images whole")


def _asked(size: str | None) -> dict[str, Any]:
    """What --size changes of how training saw its images."""
    if size is None:
        return {}
    if size == OWN:
        return {"size": None, "spacing": None}
    if not (size.isdecimal() and int(size) > 0):
        raise RequestError(f"--size '{size}' is neither a whole number of pixels above 0 nor '{OWN}'")
    return {"size": int(size)}


def _follow(events: "Iterable[Done]", total: int, quiet: bool) -> "list[Done]":
    """Show what is done as it is done: a bar on a terminal, lines elsewhere, failures always."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)  # the bar and the failures share it, so that neither breaks the other
    live, done = console.is_terminal and not quiet, []
    for one in track(events, "predicting", total, console=console, transient=True, disable=not live):
        done.append(one)
        if one.reason:
            typer.echo(f"error: {one.reason}", err=True)
        elif not (live or quiet):
            typer.echo(f"{one.task.source} -> {one.task.mask}")
    return done
