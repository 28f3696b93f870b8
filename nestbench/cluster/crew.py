"""Runs on the nodes of a Ray cluster: which goes where is Ray's affair, what happens to it comes as messages."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from nestbench.cluster.join import joined
from nestbench.cluster.mailbox import Mailbox
from nestbench.cluster.nodes import Needs, alive, check_nodes, end_process, fits, on, why
from nestbench.cluster.remote import work
from nestbench.cluster.shared import Tokens, tokens
from nestbench.errors import RequestError, RunError
from nestbench.machine import Plan
from nestbench.study.schema import Run
from nestbench.work.execute import Do, execute
from nestbench.work.job import Job
from nestbench.work.messages import Began, Ended, Message

WAIT = 1.0
"""Seconds after which ``next`` returns without a message."""

GRACE = 30.0
"""Seconds in which the end of a run that was killed must come; Ray takes five where a process does not answer."""


@dataclass
class _Flight:
    """A run handed to Ray."""

    run: Run
    end: Any
    """Ray's reference to how it ended; None once that is on its way to ``next``."""
    began: Began | None = None
    overdue: float = math.inf
    """When it counts as lost, whatever Ray says."""


class Cluster:
    """The nodes of a Ray cluster (a ``Crew``). One that dies takes down no runs but its own."""

    def __init__(self, ray: Any, needs: Needs, shared: Tokens, runs: int | None, do: Do) -> None:
        self._ray, self._needs, self._shared, self._runs, self._do = ray, needs, shared, runs, do
        # Beside the coordinator, so that no other node's death loses a message.
        here = on(ray, ray.get_runtime_context().get_node_id())
        self._mailbox = ray.remote(num_cpus=0, max_concurrency=10_000, scheduling_strategy=here)(Mailbox).remote()
        # Who tries again is the coordinator: Ray would not wait for the end of a process that it cannot reach.
        self._task = ray.remote(
            num_cpus=needs["CPU"], num_gpus=needs.get("GPU", 0), max_retries=0, scheduling_strategy="SPREAD"
        )(work)
        self._numbers, self._flights = count(), dict[int, _Flight]()
        self._hearing = self._mailbox.hear.remote()
        self._stopping = False
        self._look_around()

    @property
    def free(self) -> int:
        """How many more runs can be taken up now."""
        return max(0, self._room - len(self._flights))

    @property
    def busy(self) -> bool:
        """Whether a run is in flight."""
        return bool(self._flights)

    @property
    def prompt(self) -> bool:
        """Whether a run begins as soon as it is handed over: it may wait with Ray until a node comes."""
        return False

    def start(self, job: Job) -> None:
        """Hand a run to Ray."""
        number = next(self._numbers)
        # Paths are relative to where the coordinator is, and the processes of a node are elsewhere.
        job = replace(job, prepared=job.prepared.absolute(), folder=job.folder.absolute())
        self._flights[number] = _Flight(job.run, self._task.remote(self._do, number, job, self._mailbox, self._shared))

    def next(self) -> Message | None:
        """The next message; None where none came within a second.

        Raises RunError where no message can come any more: the runs end, and go on once the study is started again.
        """
        if time.monotonic() > self._looked + WAIT:
            self._look_around()
        ends = {flight.end: number for number, flight in self._flights.items() if flight.end is not None}
        ready, _ = self._ray.wait([self._hearing, *ends], timeout=WAIT)
        if not ready:
            return None
        if ready[0] == self._hearing:
            return self._heard()
        number = ends[ready[0]]
        self._pass_on(number, self._end(self._flights[number]))
        return None

    def reply(self, run: Run, stop: bool) -> None:
        """Answer a ``Reported``: go on, or end."""
        self._mailbox.answer.remote(self._number(run), stop)

    def stop(self) -> None:
        """Ask every run in flight, and each that begins from now on, to write its checkpoint and let go."""
        self._stopping = True
        self._mailbox.stop.remote()
        for flight in self._flights.values():
            if flight.end is not None and flight.began is None:
                self._ray.cancel(flight.end)

    def kill(self, run: Run) -> None:
        """End a run's process at once; the run ends as lost."""
        flight = self._flights[self._number(run)]
        if flight.end is not None:
            self._ray.cancel(flight.end, force=True)
            if flight.began is not None:  # Ray asks the process to end itself, which one that hangs may never do
                end_process(self._ray, flight.began.host, flight.began.process)
            flight.overdue = time.monotonic() + GRACE

    def _number(self, run: Run) -> int:
        return next(number for number, flight in self._flights.items() if flight.run == run)

    def _look_around(self) -> None:
        """Nodes come and go, and one that does not answer may never say that a process is gone."""
        self._looked = time.monotonic()
        # Never no room at all: what waits with Ray begins when a node comes.
        self._room = self._runs or max(1, sum(fits(self._needs, node) for node in alive(self._ray)))
        for number, flight in self._flights.items():
            if flight.end is not None and self._looked > flight.overdue:
                self._pass_on(number, Ended(flight.run, None, "it was ended, and its node does not answer", "lost"))

    def _pass_on(self, number: int, end: Ended) -> None:
        """Send the end of a run the way of its other messages, so that it is heard after them."""
        self._mailbox.tell.remote(number, end)
        self._flights[number].end = None

    def _end(self, flight: _Flight) -> Ended:
        errors = self._ray.exceptions
        try:
            end: Ended = self._ray.get(flight.end)
        except errors.OutOfMemoryError:
            return Ended(flight.run, None, "its node ran out of memory", "memory")
        except errors.TaskCancelledError:
            return Ended(flight.run, None, "it was ended", "stopped" if self._stopping else "lost")
        except errors.RayError as error:
            return Ended(flight.run, None, f"its process or its node is gone ({why(error)})", "lost")
        if end.kind == "stopped" and not self._stopping:
            return replace(end, reason="its node is being shut down", kind="lost")
        return end

    def _heard(self) -> Message | None:
        try:
            number, message = self._ray.get(self._hearing)
        except self._ray.exceptions.RayError as error:
            raise RunError(f"no word of the cluster's runs can come any more ({why(error)})") from error
        self._hearing = self._mailbox.hear.remote()
        if number not in self._flights:  # said by a process that counts as lost since
            return None
        if isinstance(message, Began):
            self._flights[number].began = message
        elif isinstance(message, Ended):
            del self._flights[number]
        said: Message = message
        return said


@contextmanager
def open_cluster(
    address: str, plan: Plan, folders: Sequence[Path], runs: int | None = None, per_gpu: int = 1, do: Do = execute
) -> Iterator[Cluster]:
    """Join the cluster at ``HOST:PORT``, or ``auto``, for runs by ``plan``; what they began there ends with the block.

    ``folders`` are those that every node must see. ``runs`` is how many there are at once, more than there is room for
    where the cluster is to grow; as many as fit if nothing is said. On a GPU there are ``per_gpu`` of them.
    Raises RequestError for a cluster that cannot be joined, has no room for a run, or does not share the folders.
    """
    needs: Needs = {"CPU": plan.threads} | ({"GPU": 1 / per_gpu} if plan.device == "cuda" else {})
    with tokens(folders) as shared, joined(address) as ray:
        nodes = [node for node in alive(ray) if fits(needs, node)]
        if not nodes and runs is None:
            wanted = " and ".join(f"{key} {value:.3g}" for key, value in needs.items())
            raise RequestError(f"no node of the Ray cluster at '{address}' has room for a run, which takes {wanted}")
        check_nodes(ray, nodes, shared)
        yield Cluster(ray, needs, shared, runs, do)
