"""How a command says its answer: a table for people, JSON for programs."""

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]

_PIPE = 200


def say_json(content: Any) -> None:
    """Print plain data as JSON."""
    typer.echo(json.dumps(content, indent=2))


def say_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print a table; a column whose name starts with ``>`` is aligned to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for name in columns:
        right = name.startswith(">")
        table.add_column(name.removeprefix(">"), justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _PIPE  # a pipe has no edge to fold lines at
    console.print(table)


def amount(number: float) -> str:
    """A count for people: ``9,041,601`` stays whole, operations become ``2.31 G``."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{f'{number / size:#.3g}'.rstrip('.')} {unit}"
    return f"{number:,.0f}"


def duration(seconds: float) -> str:
    """A stretch of time in words, e.g. ``40 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 100:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def in_words(value: Any) -> str:
    """Plain data as a phrase: ``a, b`` for a list, ``a: 1, b: 2`` for a mapping."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
