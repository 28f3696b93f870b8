"""What workers say, and how they end, without torch: the process that hands messages on starts at once."""

import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass

from nestbench.results.records import Epoch, Result
from nestbench.study.schema import Run


@dataclass(frozen=True)
class Began:
    """A worker process took a run up."""

    run: Run
    process: int


@dataclass(frozen=True)
class Reported:
    """A run finished an epoch and waits to be told whether to stop."""

    run: Run
    epoch: Epoch


@dataclass(frozen=True)
class Ended:
    """A run has a result, or a reason why it has none."""

    run: Run
    result: Result | None
    reason: str = ""


Message = Began | Reported | Ended


def follow_parent() -> None:
    """Leave Ctrl-C to the coordinator, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
