"""What the coordinator and whoever does its runs say to each other; without torch, so that it is known at once."""

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from nestbench.errors import MemoryExhaustedError, NestbenchError, StoppedError
from nestbench.results.records import Epoch, Result
from nestbench.study.schema import Run

if TYPE_CHECKING:
    from nestbench.work.job import Job

Kind = Literal["failed", "stopped", "memory", "lost"]
"""Why a run has no result: it failed of itself; it was asked to stop; it needs more memory than there is; whoever did
it is gone."""

_OS_ERROR = re.compile(r"\(os error (\d+)\)")
"""How a library in Rust, as safetensors is, tells of a full disk in an error of its own."""


@dataclass(frozen=True)
class Began:
    """A process of a host took a run up."""

    run: Run
    host: str
    process: int


@dataclass(frozen=True)
class Reported:
    """A run finished an epoch and waits to be told whether to end."""

    run: Run
    epoch: Epoch


@dataclass(frozen=True)
class Ended:
    """A run has a result, or a reason why it has none."""

    run: Run
    result: Result | None
    reason: str = ""
    kind: Kind = "failed"


Message = Began | Reported | Ended


class Crew(Protocol):
    """Those who do runs: processes of this machine, or of a cluster."""

    @property
    def free(self) -> int:
        """How many more runs can be taken up now."""

    @property
    def busy(self) -> bool:
        """Whether a run is in flight."""

    @property
    def prompt(self) -> bool:
        """Whether a run begins as soon as it is handed over; else it may wait for room as long as it takes."""

    def start(self, job: "Job") -> None:
        """Hand a run to somebody."""

    def next(self) -> Message | None:
        """The next message; None where none came within a second."""

    def reply(self, run: Run, stop: bool) -> None:
        """Answer a ``Reported``: go on, or end."""

    def stop(self) -> None:
        """Ask every run in flight to write its checkpoint and let go."""

    def kill(self, run: Run) -> None:
        """End a run's process at once; the run ends as lost."""


def ended(run: Run, error: BaseException, place: str = "") -> Ended:
    """A run that ended with an error; ``place`` is where in the code that arose."""
    if isinstance(error, StoppedError):
        return Ended(run, None, str(error), "stopped")
    if isinstance(error, NestbenchError):
        return Ended(run, None, str(error), "memory" if isinstance(error, MemoryExhaustedError) else "failed")
    if isinstance(error, OSError) and error.strerror:  # a full disk, a folder that became read-only
        where = f" '{error.filename}'" if error.filename else ""
        return Ended(run, None, f"{error.strerror}{where}{place}")
    if number := _OS_ERROR.search(str(error)):
        return Ended(run, None, f"{os.strerror(int(number[1]))}{place}")
    return Ended(run, None, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}{place}")
