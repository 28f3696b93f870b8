"""The mark that a run at work leaves, so that anybody can see how far it is and whether it is alive."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nestbench.results.atomic import write_json
from nestbench.results.records import RUNNING, Epoch


@dataclass(frozen=True)
class Mark:
    """Who works on a run, how many epochs are done, and the best validation IoU (0 to 1) so far."""

    host: str
    process: int
    epochs: int = 0
    validation: float | None = None
    seconds: float = 0.0
    """That the epochs have taken."""


@contextmanager
def running(folder: Path) -> Iterator[Callable[[Epoch], None]]:
    """Mark the run as being worked on; call what is given after each epoch. The mark goes when the block ends."""
    mark = Mark(socket.gethostname(), os.getpid())

    def beat(epoch: Epoch) -> None:
        nonlocal mark
        best = max(mark.validation or 0.0, epoch.validation_iou)
        mark = replace(mark, epochs=epoch.index + 1, validation=best, seconds=mark.seconds + epoch.seconds)
        write_json(folder / RUNNING, asdict(mark))

    write_json(folder / RUNNING, asdict(mark))
    try:
        yield beat
    finally:
        (folder / RUNNING).unlink(missing_ok=True)


def read_mark(folder: Path) -> Mark | None:
    """Who says to work on the run, or None; whether it still lives, ``lock.at_work`` knows."""
    try:
        return Mark(**json.loads((folder / RUNNING).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
