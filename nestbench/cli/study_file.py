"""What the commands about a study ask for alike."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nestbench.errors import RequestError, unknown

if TYPE_CHECKING:
    from nestbench.study.schema import Study

StudyFile = Annotated[Path, typer.Argument(metavar="FILE", help="A study file (YAML).")]
Results = Annotated[Path, typer.Option("--results", help="Where results are kept.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="Where data lies.", show_default="$NESTBENCH_DATA, else ~/.cache/nestbench"),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Precision = Annotated[
    str, typer.Option("--precision", help="auto, float32 or bfloat16; auto is what is fastest on this machine.")
]
Out = Annotated[Path | None, typer.Option("--out", help="The PDF.", show_default="reports/<name>.pdf")]


def read(file: Path) -> "Study":
    """Read a study file; a wrong one is answered before the heavy rooms are imported."""
    from nestbench.study.files import read_study

    return read_study(file)


def report_path(out: Path | None, name: str) -> Path:
    """Where the PDF goes.

    Raises RequestError for a folder in its place, and for one that cannot be written to.
    """
    from nestbench.results.atomic import writable

    pdf = out or Path("reports") / f"{name}.pdf"
    if pdf.is_dir():
        raise RequestError(f"--out '{pdf}' is a folder: name a file in it, such as '{pdf / name}.pdf'")
    writable(pdf.parent)
    return pdf


def checked_device(device: str) -> str:
    """A device by a name that exists."""
    from nestbench.study.schema import DEVICES

    if device not in DEVICES:
        raise unknown("device", device, DEVICES)
    return device


def checked_cluster(address: str, study: "Study", folder: Path) -> str:
    """The ``HOST:PORT`` of a cluster that answers; the address as it is where a finished study needs nobody.

    A wrong one is answered before the heavy rooms are imported.
    """
    from nestbench.cluster.join import find_cluster
    from nestbench.runner.status import finished

    return find_cluster(address) if address and not finished(study, folder) else address


def checked_precision(precision: str) -> str:
    """A precision by a name that exists."""
    from nestbench.machine.choose import PRECISIONS

    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    return precision
