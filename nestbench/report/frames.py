"""Walking through tables in the order in which they stand."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

PANEL = ["dataset", "encoder"]
"""Columns that name what members are compared within."""

CELL = [*PANEL, "model"]
"""Columns that name a cell in every table."""


def rows(table: pd.DataFrame) -> Iterator[Any]:
    """Each row as a named tuple."""
    yield from table.itertuples(index=False)


def groups(table: pd.DataFrame, keys: str | list[str]) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Each value of a column, or tuple of values of several, with its rows."""
    yield from table.groupby(keys, sort=False)


def first(table: pd.DataFrame, column: str) -> list[str]:
    """Each value of a column once."""
    return [str(value) for value in table[column].unique()]
