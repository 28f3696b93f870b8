"""``nestbench dataset``: the data sets, and whether their files are sound."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestbench.cli.answers import AsJson, in_words, say_json, say_table
from nestbench.cli.study_file import Data
from nestbench.errors import RequestError
from nestbench.plugins import find, listed

if TYPE_CHECKING:
    from nestbench.datasets.contract import Dataset
    from nestbench.study.data import DatasetSpec

app = typer.Typer(help="Data sets, and whether their files are sound.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A data set, e.g. nuclei.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="An option of the data set, as in a study file; repeatable."),
]


@app.command("list")
def list_datasets(as_json: AsJson = False) -> None:
    """List the installed data sets."""
    rows = [(name, _meaning(name), package) for name, package in listed("dataset")]
    if as_json:
        say_json([{"name": n, "meaning": meaning, "package": package} for n, meaning, package in rows])
    else:
        say_table(("data set", "meaning", "package"), rows)


@app.command()
def fetch(name: Name, data: Data = None, option: Options = None) -> None:
    """Download a data set, check it and unpack it where studies look for it; what an earlier try left is used."""
    from nestbench.datasets.fetch.place import fetch_all
    from nestbench.datasets.open import data_root

    about = _open(_spec(name, option), data).about
    with _bars() as tell:
        for fetched in fetch_all(name, about, data_root(data), tell):
            typer.echo(f"{'fetched' if fetched.is_new else 'there already'}: {fetched.place}")


@app.command()
def check(name: Name, data: Data = None, option: Options = None, as_json: AsJson = False) -> None:
    """Read every file of a data set and say what is there; exit code 1 where a file is not sound."""
    from nestbench.cli.inventory import phrased, take_inventory

    found = take_inventory(_open(_spec(name, option), data))
    if as_json:
        say_json({"name": name} | found)
    else:
        say_table((name, ""), [(key, in_words(value)) for key, value in phrased(found).items()])
    _fail_for(found["problems"])


@app.command()
def show(
    name: Name,
    data: Data = None,
    option: Options = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write a contact sheet to this PNG.")] = None,
    cases: Annotated[int, typer.Option(help="Cases on the contact sheet.", min=1)] = 24,
    as_json: AsJson = False,
) -> None:
    """Say what a data set is, and draw some of its cases with the outlines of their objects."""
    from dataclasses import asdict

    from nestbench.cli.inventory import count

    spec = _spec(name, option)
    dataset = _open(spec, data)
    about = {"name": name} | asdict(dataset.about) | count(dataset)
    about["downloads"] = [download["url"] for download in about["downloads"]]
    problems: list[str] = []
    if out:
        about["out"], problems = _draw(dataset, spec, cases, out)
    if as_json:
        say_json(about)
    else:
        say_table((name, ""), [(key, in_words(value)) for key, value in about.items() if key != "name" and value])
    _fail_for(problems)


def _draw(dataset: "Dataset", spec: "DatasetSpec", wanted: int, out: Path) -> tuple[str, list[str]]:
    """Draw cases from all over the data set; where the sheet is, and what is wrong with those that are not on it."""
    from nestbench.cli.inventory import reading
    from nestbench.cli.sheet import tile, write_sheet

    every = dataset.cases()
    chosen = every[:: max(1, len(every) // wanted)][:wanted]
    tiles = list(reading(chosen, lambda case: tile(dataset.read(case), spec.window, spec.percentiles)))
    drawn = [one for one in tiles if not isinstance(one, RequestError)]
    if not drawn:
        raise RequestError(f"no case can be drawn: {tiles[0]}")
    return str(write_sheet(drawn, out)), [str(one) for one in tiles if isinstance(one, RequestError)]


def _fail_for(problems: list[str]) -> None:
    """Name each problem and end with exit code 1, where there is any."""
    for problem in problems:
        typer.echo(f"error: {problem}", err=True)
    if problems:
        raise typer.Exit(1)


def _spec(name: str, options: list[str] | None) -> "DatasetSpec":
    from nestbench.study.data import DatasetSpec
    from nestbench.study.sentences import checked

    return checked("--option", DatasetSpec, {"name": name} | dict(_option(o) for o in options or []))


def _open(spec: "DatasetSpec", data: Path | None) -> "Dataset":
    from nestbench.datasets.open import data_root, open_dataset

    return open_dataset(spec, data_root(data))


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each thing that is told of, on a terminal alone."""
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    shown = ("{task.description}", progress.BarColumn(), progress.DownloadColumn(), progress.TransferSpeedColumn())
    bars = progress.Progress(
        *shown, progress.TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    )
    tasks: dict[str, progress.TaskID] = {}

    def tell(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what)
        bars.update(tasks[what], completed=done, total=total or None)

    with bars:
        yield tell


def _option(text: str) -> tuple[str, Any]:
    """``classes={cell: 255}`` as a key and what YAML makes of its value."""
    import yaml

    key, equals, value = text.partition("=")
    if not (key and equals):
        raise RequestError(f"--option '{text}' is not of the form key=value, e.g. path=my/images")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise RequestError(f"--option '{text}': '{value}' is not a value that YAML can read") from error


def _meaning(name: str) -> str:
    """The first sentence of the plugin's docstring, or why it cannot be loaded: one bad plugin hides no other."""
    try:
        plugin, _ = find("dataset", name)
    except RequestError as error:
        return str(error)
    paragraph = " ".join((plugin.__doc__ or "").partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".")
