"""What happens while a study runs, told to whoever drives it."""

from dataclasses import dataclass

from nestbench.datasets.twins import Twins
from nestbench.results.records import Epoch, Result
from nestbench.study.schema import Run


@dataclass(frozen=True)
class Preparing:
    """A data set is being read: ``done`` of ``total`` cases."""

    dataset: str
    done: int
    total: int


@dataclass(frozen=True)
class Twinned:
    """Cases of different subjects on two sides of a data set's split show the same, or nearly."""

    dataset: str
    twins: Twins


@dataclass(frozen=True)
class Planned:
    """The seeds' runs that are to come, those finished before, and how many of a search's trials are to come."""

    runs: tuple[Run, ...]
    done: tuple[Run, ...]
    trials: int


@dataclass(frozen=True)
class Started:
    """A worker begins a run."""

    run: Run


@dataclass(frozen=True)
class Advanced:
    """A run finished an epoch."""

    run: Run
    epoch: Epoch
    epochs_at_most: int


@dataclass(frozen=True)
class Finished:
    """A run is done and its result is on disk."""

    run: Run
    result: Result


@dataclass(frozen=True)
class Failed:
    """A run ended without a result; the reason is on disk."""

    run: Run
    reason: str


@dataclass(frozen=True)
class Retried:
    """A run ended without a result, and is tried again."""

    run: Run
    reason: str


@dataclass(frozen=True)
class Paused:
    """A run was asked to stop; it goes on from its checkpoint another time."""

    run: Run


@dataclass(frozen=True)
class Told:
    """Something happened beside the runs, in one sentence."""

    text: str


@dataclass(frozen=True)
class Timing:
    """Networks are being timed: ``done`` of ``total`` rounds."""

    done: int
    total: int


Event = Preparing | Twinned | Planned | Started | Advanced | Finished | Failed | Retried | Paused | Told | Timing
