"""The parts of a page as plain data, which the typst template typesets in their order.

A block is a JSON object with ``kind`` (heading, paragraph, table, figure, code). Text is text, never markup.
"""

from typing import Any, Literal

ATTACHED = "report.json"
"""Name under which the PDF carries its own content."""

Block = dict[str, Any]
Cell = str | dict[str, Any]


def heading(text: str) -> Block:
    """A section's title."""
    return {"kind": "heading", "text": text}


def paragraph(text: str, lead: str = "") -> Block:
    """A paragraph; ``lead`` are words set apart at its start."""
    return {"kind": "paragraph", "text": text, "lead": lead}


def figure(file: str, drawing: str, caption: str, alt: str) -> Block:
    """A vector figure of the build folder, with the hash of its ``drawing``; ``alt`` is for who cannot see it."""
    return {"kind": "figure", "file": file, "drawing": drawing, "caption": caption, "alt": alt}


def code(text: str) -> Block:
    """Text shown as it is."""
    return {"kind": "code", "text": text}


def bold(text: str) -> Cell:
    """A cell in bold."""
    return {"text": text, "bold": True}


def column(name: str, align: Literal["left", "right"] = "right", wide: bool = False) -> dict[str, Any]:
    """A column; a wide one takes what room is left and wraps its text."""
    return {"title": name, "align": align, "wide": wide}


def table(columns: list[dict[str, Any]], groups: list[tuple[str, list[list[Cell]]]], caption: str) -> Block:
    """A table whose rows stand in groups, each with a title of its own ('' for none)."""
    rows = [{"title": title, "rows": cells} for title, cells in groups]
    return {"kind": "table", "columns": columns, "groups": rows, "caption": caption}
