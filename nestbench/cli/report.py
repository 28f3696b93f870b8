"""``nestbench report``: the PDF from finished results, and whether a PDF still says what they say."""

from pathlib import Path
from typing import Annotated

import typer

from nestbench.cli.study_file import Out, Results, read, report_path
from nestbench.errors import RunError

app = typer.Typer(help="Reports: one PDF of one study, or of several.")

_Studies = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Study files (YAML): a chapter each.")]
_Report = Annotated[Path, typer.Argument(metavar="PDF", help="A report that was built before.")]


@app.command()
def build(files: _Studies, results: Results = Path("results"), out: Out = None) -> None:
    """Build the report from the results that are finished; nothing is trained."""
    studies = [read(file) for file in files]
    from nestbench.report.pages import build_report
    from nestbench.results.owner import refuse_changed

    for study in studies:
        refuse_changed(study, results / study.name)
    names = [study.name for study in studies]
    typer.echo(build_report([results / name for name in names], report_path(out, "+".join(names))))


@app.command()
def verify(pdf: _Report, results: Results = Path("results")) -> None:
    """Make the report anew from the results, and name the first number that is otherwise, in it or its CSV."""
    from nestbench.report.verify import verify_report

    found = verify_report(pdf, results)
    for name in found.stale:
        typer.echo(f"stale: the results of '{name}' have changed since '{pdf}' was made from them; build it anew")
    if found.difference:
        raise RunError(f"'{pdf}' does not say what the results say: {found.difference}")
    if found.unsure:
        raise RunError(f"'{pdf}' cannot be verified here: {found.unsure}")
    studies = " and ".join(f"'{results / name}'" for name in found.studies)
    tables = f" and in '{found.tables}'" if found.tables else ""
    typer.echo(f"every number in '{pdf}'{tables} follows from {studies}")
    if found.stale:
        raise typer.Exit(1)
