"""A report's PDF, read again: the content that it carries, and the words that its pages show."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from nestbench.errors import RequestError
from nestbench.report.blocks import ATTACHED


@dataclass(frozen=True)
class Printed:
    """What a PDF holds."""

    content: dict[str, Any]
    """What was typeset, as ``report.pages.compose`` made it."""
    pages: tuple[tuple[str, ...], ...]
    """Lines of words, of each page."""
    drawings: tuple[bytes, ...]
    """All that each page draws."""
    laid_over: tuple[str, ...]
    """What lies over a page and is shown with it, as stamps and notes are: nothing in a report as it was built."""


def read_content(path: Path) -> dict[str, Any]:
    """The content that a report carries.

    Raises RequestError for a file that is not there, is not a PDF, or is not a report of nestbench.
    """
    return _content(_open(path), path)


def read_printed(path: Path) -> Printed:
    """All that a report holds. Raises RequestError as ``read_content`` does."""
    reader = _open(path)
    content = _content(reader, path)
    try:
        pages = tuple(tuple(page.extract_text().splitlines()) for page in reader.pages)
        drawings = tuple(b"".join(_drawn(page)) for page in reader.pages)
        laid_over = tuple(said for page in reader.pages for said in _laid_over(page))
    except _BROKEN as error:
        raise RequestError(f"cannot read '{path}': its pages are damaged ({error})") from error
    return Printed(content, pages, drawings, laid_over)


logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what is wrong is raised too, and said in our own words

_BROKEN = (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)
"""What the library raises on a damaged file."""


def _open(path: Path) -> PdfReader:
    try:
        return PdfReader(path, strict=False)
    except OSError as error:
        raise RequestError(f"cannot read '{path}': {error.strerror or error}") from error
    except _BROKEN as error:
        raise RequestError(f"cannot read '{path}': it is not a PDF ({error})") from error


def _content(reader: PdfReader, path: Path) -> dict[str, Any]:
    try:
        attached = reader.attachments.get(ATTACHED, [])
        content = json.loads(attached[0]) if attached else {}
    except _BROKEN as error:
        raise RequestError(f"cannot read '{path}': what is attached to it is damaged ({error})") from error
    if not isinstance(content, dict) or not {"chapters", "seals", "made_with"} <= content.keys():
        raise RequestError(f"'{path}' is no report of this version of nestbench: it does not carry '{ATTACHED}'")
    if not isinstance(content["made_with"], dict):
        raise RequestError(f"cannot read '{path}': it does not say with which versions it was made")
    return content


def _laid_over(page: Any) -> Iterator[str]:
    """Every annotation but a plain link, which shows nothing."""
    for reference in page.get("/Annots", ()):
        note = reference.get_object()
        kind = str(note.get("/Subtype", "unknown")).lstrip("/")
        if kind != "Link" or "/AP" in note:
            yield f"page {page.page_number + 1} has an annotation of the kind '{kind}' laid over it"


def _drawn(page: Any) -> Iterator[bytes]:
    """Instructions and pictures of a page, and of what it draws within."""
    contents = page.get_contents()
    yield contents.get_data() if contents is not None else b""
    yield from _within(page.get("/Resources"), set())


def _within(resources: Any, seen: set[int]) -> Iterator[bytes]:
    objects = resources.get_object().get("/XObject") if resources is not None else None
    for name, reference in sorted((objects.get_object() if objects is not None else {}).items()):
        drawn = reference.get_object()
        if id(drawn) not in seen:
            seen.add(id(drawn))
            yield name.encode() + drawn.get_data()
            yield from _within(drawn.get("/Resources"), seen)
