"""Whether a report says what the results say: it is made again, and compared with what is printed."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from nestbench.errors import RequestError
from nestbench.report.blocks import Block
from nestbench.report.reread import Printed, read_content, read_printed
from nestbench.results.seal import seal


@dataclass(frozen=True)
class Verified:
    """What came of comparing a report with the results."""

    studies: tuple[str, ...]
    stale: tuple[str, ...]
    """Studies whose results are not those that the report was made from."""
    difference: str
    """The first thing that is printed otherwise than the results have it; nothing where all is as it should be."""
    unsure: str = ""
    """Why it cannot be verified here, though no difference was found; nothing where it can."""
    tables: Path | None = None
    """The folder of CSV that was compared too, where there is one beside the PDF."""


def stale_studies(pdf: Path, results: Path) -> tuple[str, ...]:
    """Studies of a report whose results have changed since, or are gone.

    Raises RequestError for a file that is no report.
    """
    return tuple(name for name, sealed in read_content(pdf)["seals"].items() if _seal(results / name) != sealed)


def verify_report(pdf: Path, results: Path) -> Verified:
    """Make the report anew from the results below ``results``, and find the first difference, in its CSV too.

    Raises RequestError for a file that is no report, and for results that are not there or cannot be read.
    """
    printed = read_printed(pdf)
    studies = tuple(printed.content["seals"])
    stale = stale_studies(pdf, results)
    for name in studies:
        if not (results / name / "study.yaml").exists():
            raise RequestError(f"'{pdf}' reports the study '{name}', and there are no results of it in '{results}'")
    from nestbench.report.csvs import table_differences, tables_folder  # noqa: PLC0415 (a wrong file need not wait)
    from nestbench.report.pages import build_report  # noqa: PLC0415

    tables = tables_folder(pdf) if tables_folder(pdf).is_dir() else None
    with tempfile.TemporaryDirectory(prefix="nestbench-verify-") as build:
        anew = build_report([results / name for name in studies], Path(build) / "report.pdf")
        same = anew.read_bytes() == pdf.read_bytes()
        said, unsure = ("", "") if same else _compare(printed, read_printed(anew))
        if tables and not said:
            said = _first(table_differences(tables, tables_folder(anew)))
        return Verified(studies, stale, said, "" if said else unsure, tables)


def _compare(old: Printed, new: Printed) -> tuple[str, str]:
    """The first difference, and why that there is none does not yet tell.

    What a PDF says of its makers is as open to change as all else in it: it excuses nothing.
    """
    makers = old.content["made_with"], new.content["made_with"]
    same_makers = makers[0] == makers[1]
    try:
        said = _first(_contents(old.content, new.content, drawings=same_makers))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        said = "what it carries is not built as a report's content is"
    said = said or _first(_texts(old, new)) or _first(iter(old.laid_over)) or _counts(old, new)
    if said:
        return said, ""
    if not same_makers:
        return "", f"{_other_makers(*makers)}; build it anew, or verify it with the versions that made it"
    for number, (was, is_) in enumerate(zip(old.drawings, new.drawings, strict=True), start=1):
        if was != is_:
            return f"page {number} is drawn otherwise, though its words are the same", ""
    return "the file was changed beside its pages, in what it says of itself", ""


def _other_makers(old: dict[str, str], new: dict[str, str]) -> str:
    names = [name for name in new | old if old.get(name) != new.get(name)]
    said = "; ".join(f"{name} {old.get(name, 'unknown')}, here {new.get(name, 'unknown')}" for name in names)
    return f"it says that other versions made it ({said}), which may draw otherwise"


def _contents(old: dict[str, Any], new: dict[str, Any], *, drawings: bool) -> Iterator[str]:
    """Every difference of two contents, in the order of the page."""
    for was, is_ in zip(old["chapters"], new["chapters"], strict=False):
        where = f"'{is_['title']}', "
        yield from (
            f"{where}{key}: {_pair(was.get(key), is_[key])}"
            for key in ("question", "notice")
            if was.get(key) != is_[key]
        )
        yield from (
            f"{where}answer: {_pair(*one)}" for one in zip_longest(was["answers"], is_["answers"]) if one[0] != one[1]
        )
        tables = 0
        for one, other in zip_longest(was["blocks"], is_["blocks"]):
            tables += (other or one)["kind"] == "table"
            if one is None or other is None or one["kind"] != other["kind"]:
                yield f"{where}{_named(other or one, tables)}: there are other parts than the results give"
                return
            yield from (f"{where}{_named(other, tables)}, {said}" for said in _blocks(one, other, drawings=drawings))


def _blocks(was: Block, is_: Block, *, drawings: bool) -> Iterator[str]:
    if is_["kind"] == "table":
        yield from _cells(was, is_)
    for key in ("lead", "text", "caption", "alt", *(["drawing"] * drawings)):
        if was.get(key) != is_.get(key):
            yield "the drawing differs" if key == "drawing" else f"{key}: {_pair(was.get(key), is_.get(key))}"


def _cells(was: Block, is_: Block) -> Iterator[str]:
    """Every cell that differs, named by its row and column."""
    names = [" ".join(column["title"].split()) for column in is_["columns"]]
    if names != [" ".join(column["title"].split()) for column in was["columns"]]:
        yield f"columns: {_pair(', '.join(c['title'] for c in was['columns']), ', '.join(names))}"
        return
    for (group, one), (_, other) in zip_longest(_rows(was), _rows(is_), fillvalue=("", [])):
        row = " ".join(filter(None, (group, _text((other or one)[0]))))
        for name, *pair in zip_longest(names, one, other, fillvalue=""):
            if pair[0] != pair[1]:
                yield f"row '{row}', column '{name}': {_pair(*pair)}"


def _rows(table: Block) -> list[tuple[str, list[Any]]]:
    return [(group["title"], row) for group in table["groups"] for row in group["rows"]]


def _texts(old: Printed, new: Printed) -> Iterator[str]:
    """Every line of the pages that differs: words that were changed in the PDF itself."""
    for number, (was, is_) in enumerate(zip_longest(old.pages, new.pages, fillvalue=()), start=1):
        for one, other in zip_longest(was, is_, fillvalue=""):
            if one != other:
                words = [pair for pair in zip_longest(one.split(), other.split(), fillvalue="") if pair[0] != pair[1]]
                first = _pair(*words[0]) if words else _pair(one, other)
                yield f"page {number}, {first}, in the line '{other.strip() or one.strip()}'"


def _counts(old: Printed, new: Printed) -> str:
    """What is said of pages that were added or taken out without a word on them."""
    was, is_ = len(old.pages), len(new.pages)
    return "" if was == is_ else f"it has {was} pages, the results give {is_}"


def _named(block: Block, tables: int) -> str:
    if block["kind"] == "table":
        return f"table {tables} ({_short(block['caption'])})"
    return f"{block['kind']} ({_short(block.get('caption') or block.get('text', ''))})"


def _pair(was: object, is_: object) -> str:
    return f"printed is '{_text(was)}', the results give '{_text(is_)}'"


def _text(cell: object) -> str:
    if isinstance(cell, dict):
        return f"{cell['text']} (bold)"
    return "" if cell is None else str(cell)


def _short(text: str) -> str:
    words = text.split()
    return " ".join(words[:6]) + (" ..." if len(words) > 6 else "")


def _first(differences: Iterator[str]) -> str:
    return next(differences, "")


def _seal(folder: Path) -> str:
    return seal(folder) if folder.exists() else ""
