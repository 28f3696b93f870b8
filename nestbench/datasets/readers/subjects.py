"""The subject that a case is of, found in its name by a regular expression that a study gives."""

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator

from nestbench.datasets.contract import Case
from nestbench.errors import refuse


def _of_one_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"'{pattern}' is no regular expression: {error}") from error
    if groups != 1:
        raise ValueError(f"'{pattern}' has {groups} groups, and needs one: the part in brackets is the subject")
    return pattern


Pattern = Annotated[str, AfterValidator(_of_one_group)]
"""A regular expression with one group, which is the subject."""


def cases_of(names: Iterable[str], pattern: str | None) -> tuple[Case, ...]:
    """A case for each name, in the order given; without a pattern each is a subject of its own.

    Raises RequestError that lists names in which no subject is found.
    """
    found = {name: re.search(pattern or "(.*)", name) for name in names}
    lost = [f"'{name}'" for name, match in found.items() if not (match and match[1])]
    refuse(f"the expression '{pattern}' finds no subject in", lost)
    return tuple(Case(name, match[1]) for name, match in found.items() if match)
