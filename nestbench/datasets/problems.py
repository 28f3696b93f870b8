"""Many problems of a data set in one sentence."""

from nestbench.errors import RequestError

NAMED = 3


def refuse(what: str, problems: list[str]) -> None:
    """Raise RequestError that names the first few problems and counts the others; do nothing where there are none."""
    if problems:
        more = len(problems) - NAMED
        others = f"; and {more} more" if more > 0 else ""
        raise RequestError(f"{what} {'; '.join(problems[:NAMED])}{others}")
