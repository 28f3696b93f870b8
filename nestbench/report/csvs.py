"""A report's tables as CSV, in a folder beside the PDF: written with it, and compared with the results again."""

import csv
import math
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import pandas as pd

from nestbench.errors import RequestError
from nestbench.results.atomic import write_text

_CLOSE = 1e-9
"""Share by which a fraction may differ: another machine may round its last digit otherwise."""


def tables_folder(pdf: Path) -> Path:
    """Where the tables of a report lie."""
    return pdf.parent / f"{pdf.stem}-tables"


def write_tables(chapters: Sequence[tuple[str, dict[str, pd.DataFrame]]], folder: Path) -> None:
    """Write every table of each study; those of several studies into a folder each."""
    for study, tables in chapters:
        place = folder / study if len(chapters) > 1 else folder
        for name, table in tables.items():
            write_text(place / f"{name}.csv", table.to_csv(index=False))


def table_differences(old: Path, new: Path) -> Iterator[str]:
    """Every place where tables in a folder differ from those in another: file, row (the first is 1) and column."""
    files = sorted({path.relative_to(folder) for folder in (old, new) for path in folder.rglob("*.csv")})
    for file in files:
        if not (new / file).exists():
            yield f"'{old / file}' is no table that the results give"
        elif not (old / file).exists():
            yield f"'{old / file}' is not there, and the results give it"
        else:
            yield from (f"'{old / file}', {said}" for said in _cells(_read(old / file), _read(new / file)))


def _cells(old: list[list[str]], new: list[list[str]]) -> Iterator[str]:
    names = new[0] if new else []
    if old[:1] != new[:1]:
        yield f"columns: it has '{', '.join(old[0] if old else [])}', the results give '{', '.join(names)}'"
        return
    none: list[str] = []
    for number, (was, is_) in enumerate(zip_longest(old[1:], new[1:], fillvalue=none), start=1):
        for name, one, other in zip_longest(names, was, is_, fillvalue=""):
            if not _same(one, other):
                yield f"row {number}, column '{name}': it has '{one}', the results give '{other}'"


def _same(one: str, other: str) -> bool:
    """Whether two cells say the same: numbers that are not whole may differ by what rounding does."""
    if one == other or one.isdigit() or other.isdigit():
        return one == other
    try:
        return math.isclose(float(one), float(other), rel_tol=_CLOSE)
    except ValueError:
        return False


def _read(path: Path) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"cannot read '{path}': {getattr(error, 'strerror', None) or error}") from error
