"""``nestbench report``: the PDF from finished results."""

from pathlib import Path

import typer

from nestbench.cli.study_file import Out, Results, StudyFile, read, report_path

app = typer.Typer(help="Reports: one PDF a study.")


@app.command()
def build(file: StudyFile, results: Results = Path("results"), out: Out = None) -> None:
    """Build the report from the results that are finished; nothing is trained."""
    study = read(file)
    from nestbench.report.pages import build_report
    from nestbench.results.owner import refuse_changed

    refuse_changed(study, results / study.name)
    typer.echo(build_report(results / study.name, report_path(out, study.name)))
