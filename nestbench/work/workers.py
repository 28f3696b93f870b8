"""Worker processes of this machine: jobs go in, what happens to them comes out as messages."""

import multiprocessing
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.managers import SyncManager
from queue import Empty, Queue

from nestbench.results.records import Epoch, Result
from nestbench.study.schema import Run
from nestbench.work.execute import execute
from nestbench.work.job import Job
from nestbench.work.messages import Began, Ended, Message, Reported, ended
from nestbench.work.process import asked_to_stop, begin, outlive_signals, serve

WAIT = 1.0
"""Seconds after which ``next`` returns without a message."""


@dataclass
class _Flight:
    """A run at work: the pool of one process that does it, where it hears the answers, and the process once known."""

    pool: ProcessPoolExecutor
    replies: "Queue[bool]"
    process: int | None = None


class Workers:
    """So many processes (a ``Crew``). Each has a pool of its own: one that dies takes down no run but its own."""

    def __init__(self, count: int, messages: "Queue[Message]", new_queue: Callable[[], "Queue[bool]"]) -> None:
        self._messages, self._new_queue = messages, new_queue
        self._idle = [_new_pool() for _ in range(count)]
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

    def start(self, job: Job) -> None:
        """Hand a run to a process."""
        flight = _Flight(self._idle.pop(), self._new_queue())
        try:
            future = flight.pool.submit(_work, job, self._messages, flight.replies)
        except BrokenProcessPool:  # its process died since its last run
            flight.pool = _new_pool()
            future = flight.pool.submit(_work, job, self._messages, flight.replies)
        self._flights[job.run] = flight
        future.add_done_callback(partial(self._send, job.run))

    def next(self) -> Message | None:
        """The next message; None where none came within a second."""
        try:
            message = self._messages.get(timeout=WAIT)
        except Empty:
            return None
        if isinstance(message, Began):
            self._flights[message.run].process = message.process
            if self._stopping:
                self._signal(message.run, signal.SIGTERM)
        elif isinstance(message, Ended):
            self._idle.append(self._flights.pop(message.run).pool)
        return message

    def reply(self, run: Run, stop: bool) -> None:
        """Answer a ``Reported``: go on, or end."""
        self._flights[run].replies.put(stop)

    def stop(self) -> None:
        """Ask every run in flight, and each that begins from now on, to write its checkpoint and let go."""
        self._stopping = True
        for run in self._flights:
            self._signal(run, signal.SIGTERM)

    def kill(self, run: Run) -> None:
        """End a run's process at once; the run ends as lost."""
        self._signal(run, signal.SIGKILL)

    def close(self) -> None:
        """End at once: runs in flight are given up, as their files are whole or not there."""
        for run, flight in self._flights.items():
            self._signal(run, signal.SIGKILL)
            flight.pool.shutdown(wait=False, cancel_futures=True)
        for pool in self._idle:
            pool.shutdown(wait=False)

    def _signal(self, run: Run, what: signal.Signals) -> None:
        process = self._flights[run].process
        if process is not None:
            with suppress(ProcessLookupError):
                os.kill(process, what)

    def _send(self, run: Run, done: "Future[Result]") -> None:
        with suppress(OSError, EOFError):  # closed meanwhile: nobody listens any more
            self._messages.put(_ended(run, done))


@contextmanager
def open_workers(count: int) -> Iterator[Workers]:
    """Start the processes (fresh interpreters: torch and CUDA do not survive a fork) and end them with the block."""
    manager = SyncManager(ctx=multiprocessing.get_context("spawn"))
    manager.start(initializer=outlive_signals)
    with manager:
        crew = Workers(count, manager.Queue(), manager.Queue)
        try:
            yield crew
        finally:
            crew.close()


def _new_pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=serve)


def _work(job: Job, messages: "Queue[Message]", replies: "Queue[bool]") -> Result:
    begin()
    messages.put(Began(job.run, socket.gethostname(), os.getpid()))

    def on_epoch(epoch: Epoch) -> bool:
        messages.put(Reported(job.run, epoch))
        return replies.get()

    return execute(job, on_epoch, asked_to_stop)


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
