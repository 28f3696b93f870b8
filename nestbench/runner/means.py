"""By what means a study is run: nothing of it changes what comes out, but for device and precision."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Means:
    """Where things lie, who does the runs, and how much patience there is with them."""

    data: Path
    cache: Path
    workers: int | None = None
    """Runs at once; None: one, or ``per_gpu`` on each GPU of this machine, or as many as a cluster has room for."""
    device: str = "auto"
    precision: str = "auto"
    cluster: str = ""
    """Address of a Ray cluster, or ``auto``; nothing: processes of this machine."""
    per_gpu: int = 1
    """Runs that share a GPU."""
    storage: str = ""
    """URL of the database that Optuna keeps its trials in; nothing: SQLite in the results folder."""
    retries: int = 2
    """How often a run whose process is lost is tried again."""
    silence: float = 3600.0
    """Seconds without an epoch after which a run counts as hung, and its process is ended."""
    every: float = 60.0
    """Seconds between two checkpoints of a run."""
    tensorboard: bool = False
