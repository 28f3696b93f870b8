"""Where a data set's files may lie, and the first of those places where they do."""

from collections.abc import Callable, Sequence
from pathlib import Path

from nestbench.errors import RequestError


def places(root: Path, path: str, below: Sequence[str] = ()) -> list[Path]:
    """Paths to look at: ``path``, as it is or below the data root; without a path, each of ``below`` the root."""
    given = Path(path).expanduser()
    return list(dict.fromkeys([given, root / given] if path else [root / place for place in below]))


def place_of(name: str, looked: Sequence[Path], is_it: Callable[[Path], bool], lacks: str) -> Path:
    """The first place that is the one sought.

    Raises RequestError for the data set ``name`` where none is; ``lacks`` ends its sentence "neither A nor B ...".
    """
    for place in looked:
        if is_it(place):
            return place
    listed = " nor ".join(f"'{place}'" for place in looked)
    raise RequestError(f"data set '{name}' is not there: neither {listed} {lacks}")
