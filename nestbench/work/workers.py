"""Worker processes of this machine: jobs go in, what happens to them comes out as messages."""

import multiprocessing
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.managers import SyncManager
from queue import Empty, Queue

from nestbench.errors import RunError
from nestbench.results.records import Epoch, Result
from nestbench.study.schema import Run
from nestbench.work.execute import Do, execute
from nestbench.work.job import Job
from nestbench.work.messages import Began, Ended, Message, Reported, ended
from nestbench.work.process import asked_to_stop, begin, outlive_signals, serve

WAIT = 1.0
"""Seconds after which ``next`` returns without a message."""


@dataclass
class _Place:
    """Room for a run: a pool of one process, and the GPU that this sees; nothing where all see the same."""

    gpu: str
    pool: ProcessPoolExecutor


@dataclass
class _Flight:
    """A run at work: the place that it has, where it hears the answers, and the process once known."""

    place: _Place
    replies: "Queue[bool]"
    process: int | None = None


class Workers:
    """So many processes (a ``Crew``). Each has a pool of its own: one that dies takes down no run but its own."""

    def __init__(
        self,
        count: int,
        messages: "Queue[Message]",
        new_queue: Callable[[], "Queue[bool]"],
        do: Do,
        gpus: Sequence[str],
    ) -> None:
        self._messages, self._new_queue, self._do = messages, new_queue, do
        # The first place to be taken is the last; with one GPU, or none, there is nothing to tell apart.
        named = [gpus[number % len(gpus)] if len(gpus) > 1 else "" for number in reversed(range(count))]
        self._idle = [_Place(gpu, _new_pool(gpu)) for gpu in named]
        self._flights: dict[Run, _Flight] = {}
        self._stopping = False

    @property
    def free(self) -> int:
        """How many more runs can be taken up now."""
        return len(self._idle)

    @property
    def busy(self) -> bool:
        """Whether a run is in flight."""
        return bool(self._flights)

    @property
    def prompt(self) -> bool:
        """Whether a run begins as soon as it is handed over."""
        return True

    def start(self, job: Job) -> None:
        """Hand a run to a process."""
        with _carried():
            flight = _Flight(self._idle.pop(), self._new_queue())
        try:
            future = flight.place.pool.submit(_work, self._do, job, self._messages, flight.replies)
        except BrokenProcessPool:  # its process died since its last run
            flight.place.pool = _new_pool(flight.place.gpu)
            future = flight.place.pool.submit(_work, self._do, job, self._messages, flight.replies)
        self._flights[job.run] = flight
        future.add_done_callback(partial(self._send, job.run))

    def next(self) -> Message | None:
        """The next message; None where none came within a second.

        Raises RunError where no message can come any more: the runs end, and go on once the study is started again.
        """
        with _carried():
            try:
                message = self._messages.get(timeout=WAIT)
            except Empty:
                return None
        if isinstance(message, Began):
            self._flights[message.run].process = message.process
            if self._stopping:
                self._signal(message.run, signal.SIGTERM)
        elif isinstance(message, Ended):
            self._idle.append(self._flights.pop(message.run).place)
        return message

    def reply(self, run: Run, stop: bool) -> None:
        """Answer a ``Reported``: go on, or end."""
        with _carried():
            self._flights[run].replies.put(stop)

    def stop(self) -> None:
        """Ask every run in flight, and each that begins from now on, to write its checkpoint and let go."""
        self._stopping = True
        for run in self._flights:
            self._signal(run, signal.SIGTERM)

    def kill(self, run: Run) -> None:
        """End a run's process at once; the run ends as lost."""
        flight = self._flights[run]
        if flight.process is None:  # one that hangs before it says who it is
            flight.process = next(iter(flight.place.pool._processes or ()), None)
        self._signal(run, signal.SIGKILL)

    def close(self) -> None:
        """End at once: runs in flight are given up, as their files are whole or not there."""
        for run, flight in self._flights.items():
            self.kill(run)
            flight.place.pool.shutdown(wait=False, cancel_futures=True)
        for place in self._idle:
            place.pool.shutdown(wait=False)

    def _signal(self, run: Run, what: signal.Signals) -> None:
        process = self._flights[run].process
        if process is not None:
            with suppress(ProcessLookupError):
                os.kill(process, what)

    def _send(self, run: Run, done: "Future[Result]") -> None:
        with suppress(OSError, EOFError):  # closed meanwhile: nobody listens any more
            self._messages.put(_ended(run, done))


@contextmanager
def _carried() -> Iterator[None]:
    """Say what it means that a message cannot be sent or heard."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise RunError("the process that carries the runs' messages is gone: start the study again") from error


@contextmanager
def open_workers(count: int, do: Do = execute, gpus: Sequence[str] = ()) -> Iterator[Workers]:
    """Start the processes (fresh interpreters: torch and CUDA do not survive a fork) and end them with the block.

    They are dealt out over the ``gpus``.
    """
    manager = SyncManager(ctx=multiprocessing.get_context("spawn"))
    manager.start(initializer=outlive_signals)
    with manager:
        crew = Workers(count, manager.Queue(), manager.Queue, do, gpus)
        try:
            yield crew
        finally:
            crew.close()


def _new_pool(gpu: str) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=serve, initargs=(gpu,))


def _work(do: Do, job: Job, messages: "Queue[Message]", replies: "Queue[bool]") -> Result:
    begin()
    messages.put(Began(job.run, socket.gethostname(), os.getpid()))

    def on_epoch(epoch: Epoch) -> bool:
        messages.put(Reported(job.run, epoch))
        return replies.get()

    return do(job, on_epoch, asked_to_stop)


def _ended(run: Run, done: "Future[Result]") -> Ended:
    error = done.exception()
    if error is None:
        return Ended(run, done.result())
    if isinstance(error, BrokenProcessPool):
        return Ended(run, None, "its process died: was it killed, by somebody or for want of memory?", "lost")
    return ended(run, error, _place(error))


def _place(error: BaseException) -> str:
    """Where in the worker an error arose: a process pool sends its traceback as the text of the cause."""
    found = re.findall(r'File ".*?([^"/]+)", line (\d+)', str(error.__cause__ or ""))
    return f" ({found[-1][0]}:{found[-1][1]})" if found else ""
