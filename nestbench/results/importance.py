"""What a cell's search says of the keys that it searched, beside the cell's runs."""

from dataclasses import asdict, dataclass
from pathlib import Path

from nestbench.results.atomic import write_json
from nestbench.results.reading import naming, read_json

_FILE = "importance.json"


@dataclass(frozen=True)
class Importance:
    """How much each searched key decided, as shares of 1."""

    method: str
    trials: int
    """How many finished trials it was found from."""
    shares: dict[str, float]


def write_importance(cell: Path, importance: Importance) -> None:
    """Write it into the cell's folder."""
    write_json(cell / _FILE, asdict(importance))


def read_importance(cell: Path) -> Importance | None:
    """What lies in the cell's folder, or None.

    Raises RequestError for a file that is not ours, naming it.
    """
    path = cell / _FILE
    with naming(path):
        return Importance(**read_json(path)) if path.exists() else None
