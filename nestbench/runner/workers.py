"""Worker processes behind ``concurrent.futures``: jobs go in, what happens to them comes out as messages."""

import multiprocessing
import os
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.managers import SyncManager
from queue import Queue

from nestbench.errors import NestbenchError
from nestbench.results.records import Epoch, Result
from nestbench.runner.job import Job, execute
from nestbench.runner.messages import Began, Ended, Message, Reported, follow_parent
from nestbench.study.schema import Run


class Workers:
    """So many processes. A process that dies takes down the runs in flight, not the study."""

    def __init__(self, count: int, messages: "Queue[Message]", new_queue: Callable[[], "Queue[bool]"]) -> None:
        self.count = count
        self._messages, self._new_queue = messages, new_queue
        self._replies: dict[Run, Queue[bool]] = {}
        self._processes: dict[Run, int] = {}
        self._pool = _new_pool(count)

    @property
    def free(self) -> int:
        """How many more runs can be taken up now."""
        return self.count - len(self._replies)

    @property
    def busy(self) -> bool:
        """Whether a run is in flight."""
        return bool(self._replies)

    def start(self, job: Job) -> None:
        """Hand a run to a process."""
        self._replies[job.run] = self._new_queue()
        try:
            future = self._pool.submit(_work, job, self._messages, self._replies[job.run])
        except RuntimeError:  # a process died since the last run: its pool takes nothing more
            self._pool = _new_pool(self.count)
            future = self._pool.submit(_work, job, self._messages, self._replies[job.run])
        future.add_done_callback(partial(self._send, job.run))

    def next(self) -> Message:
        """Wait for the next message."""
        message = self._messages.get()
        if isinstance(message, Began):
            self._processes[message.run] = message.process
        elif isinstance(message, Ended):
            self._replies.pop(message.run)
            self._processes.pop(message.run, None)
        return message

    def reply(self, run: Run, stop: bool) -> None:
        """Answer a ``Reported``: go on, or stop."""
        self._replies[run].put(stop)

    def _send(self, run: Run, done: "Future[Result]") -> None:
        with suppress(OSError, EOFError):  # closed meanwhile: nobody listens any more
            self._messages.put(_ended(run, done))

    def close(self) -> None:
        """End at once: runs in flight are given up, as their files are whole or not there."""
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def open_workers(count: int) -> Iterator[Workers]:
    """Start the processes (fresh interpreters: torch and CUDA do not survive a fork) and end them with the block."""
    manager = SyncManager(ctx=multiprocessing.get_context("spawn"))
    manager.start(initializer=follow_parent)
    with manager:
        crew = Workers(count, manager.Queue(), manager.Queue)
        try:
            yield crew
        finally:
            crew.close()


def _new_pool(count: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=follow_parent)


def _work(job: Job, messages: "Queue[Message]", replies: "Queue[bool]") -> Result:
    messages.put(Began(job.run, os.getpid()))

    def on_epoch(epoch: Epoch) -> bool:
        messages.put(Reported(job.run, epoch))
        return replies.get()

    return execute(job, on_epoch)


def _ended(run: Run, done: "Future[Result]") -> Ended:
    error = done.exception()
    if error is None:
        return Ended(run, done.result())
    if isinstance(error, NestbenchError):
        return Ended(run, None, str(error))
    return Ended(run, None, f"{type(error).__name__}: {str(error).partition(chr(10))[0]}{_place(error)}")


def _place(error: BaseException) -> str:
    """Where in the worker an error arose: a process pool sends its traceback as the text of the cause."""
    found = re.findall(r'File ".*?([^"/]+)", line (\d+)', str(error.__cause__ or ""))
    return f" ({found[-1][0]}:{found[-1][1]})" if found else ""
