"""How far a run had come that was stopped, as the head of its checkpoint says: no tensor is read."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from nestbench.results.records import CHECKPOINT, Epoch

ABOUT = "nestbench.checkpoint"
"""Under which name a checkpoint says what it is of."""


def read_stopped(folder: Path) -> list[Epoch] | None:
    """The epochs that lie behind a run; None where it left no checkpoint, and none where that is damaged."""
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        with safe_open(path, "np") as file:
            return [Epoch(**epoch) for epoch in json.loads(file.metadata()[ABOUT])["facts"]["epochs"]]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return []
