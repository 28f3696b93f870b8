"""The report: the results of one study or several, made into the PDF that people read and the CSV beside it."""

import gc
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nestbench.errors import RequestError
from nestbench.report.chapters import Tables, chapter, make_tables
from nestbench.report.csvs import tables_folder, write_tables
from nestbench.report.figures.style import styled
from nestbench.report.gather import Evidence, gather
from nestbench.report.names import listed
from nestbench.report.printing import made_with, typeset
from nestbench.results.atomic import writable


def build_report(folders: Sequence[Path], out: Path) -> Path:
    """Write the PDF of the results in these folders (results/<study>) to ``out``, and its tables as CSV beside it.

    The same results give the same bytes. Raises RequestError where a study has no finished run, a file cannot be read,
    a study is named twice, or ``out`` cannot be written.
    """
    with _collecting_seldom(), tempfile.TemporaryDirectory(prefix="nestbench-report-") as build:
        evidences = [gather(folder) for folder in folders]
        writable(out.parent)
        numbers = [make_tables(evidence) for evidence in evidences]
        content = compose(evidences, numbers, Path(build))
        write_tables([(e.study.name, made) for e, made in zip(evidences, numbers, strict=True)], tables_folder(out))
        typeset(content, Path(build), out)
    return out


def compose(evidences: Sequence[Evidence], numbers: Sequence[Tables], build: Path) -> dict[str, Any]:
    """The whole report as plain data, a chapter each study; figures are drawn into ``build``."""
    names = [evidence.study.name for evidence in evidences]
    if len(set(names)) < len(names):
        raise RequestError(f"the study '{max(names, key=names.count)}' is asked for twice: name each study once")
    with styled():
        chapters = [chapter(*one, build) for one in zip(evidences, numbers, strict=True)]
    return {
        "title": listed(names),
        "chapters": chapters,
        "seals": {evidence.study.name: evidence.seal for evidence in evidences},
        "made_with": made_with(),
    }


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Look for garbage after more allocations than usual.

    A figure is made of many thousands of small objects that go with it; to look through those that live took a fifth of
    a report's time.
    """
    usual = gc.get_threshold()
    gc.set_threshold(100 * usual[0], *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
