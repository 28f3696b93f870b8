"""Drive a study's runs: hand them out, hear of them, try again what can be, until nothing is left or one is to stop."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from nestbench.runner.attempts import Attempts
from nestbench.runner.events import Advanced, Event, Failed, Finished, Paused, Retried, Started
from nestbench.runner.queue import Queues
from nestbench.study.schema import Run
from nestbench.work.job import Job
from nestbench.work.messages import Began, Crew, Ended, Message, Reported


class Driver:
    """Keeps a crew busy with what waits in the cells' queues."""

    def __init__(
        self,
        queues: Queues,
        crew: Crew,
        job: Callable[[Run], Job],
        *,
        retries: int,
        silence: float,
        stop: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queues, self._crew, self._job, self._stop = queues, crew, job, stop
        self._attempts, self._again = Attempts(retries), deque[Job]()
        self._silence, self._clock = silence, clock
        self._heard: dict[Run, float] = {}
        """When a run was heard of last, or handed out where it begins at once."""
        self._hung: set[Run] = set()
        self._stopping = False

    def events(self) -> Iterator[Event]:
        """Work, and say what happens, until nothing waits and nothing is in flight."""
        while True:
            if self._stop() and not self._stopping:
                self._stopping = True
                self._crew.stop()
            while not self._stopping and self._crew.free and (job := self._next()) is not None:
                self._attempts.note(job)
                self._crew.start(job)
                if self._crew.prompt:
                    self._heard[job.run] = self._clock()
            if not self._crew.busy:
                break
            message = self._crew.next()
            if message is not None:
                yield self._told(message)
            self._end_hung()
        for run in (run for queue in self._queues.values() for run in queue.hopeless() if not self._stopping):
            yield Failed(run, "every trial of the search failed, so no recipe is known")

    def _next(self) -> Job | None:
        if self._again:
            return self._again.popleft()
        run = next((run for queue in self._queues.values() if (run := queue.next()) is not None), None)
        return None if run is None else self._job(run)

    def _told(self, message: Message) -> Event:
        """Pass a message on to its cell, and say it as an event."""
        run, queue = message.run, self._queues[message.run.cell]
        self._heard[run] = self._clock()
        if isinstance(message, Began):
            return Started(run)
        if isinstance(message, Reported):
            self._crew.reply(run, queue.advance(run, message.epoch))
            return Advanced(run, message.epoch, run.recipe.epochs)
        self._heard.pop(run, None)
        if run in self._hung:
            self._hung.remove(run)
            message = replace(message, reason=f"it hung: no epoch for {self._silence:g} seconds")
        return self._concluded(message)

    def _concluded(self, end: Ended) -> Event:
        if end.kind == "lost" and (result := self._attempts.left(end.run)) is not None:
            end = Ended(end.run, result)
        if end.kind in ("stopped", "lost") and (self._stopping or self._stop()):  # what is lost then is no failure
            return Paused(end.run)
        if end.kind == "stopped":  # by somebody else: a system that takes its machine away
            end = replace(end, kind="lost")
        if end.result is None and (job := self._attempts.again(end)) is not None:
            self._again.append(job)
            return Retried(end.run, end.reason)
        self._queues[end.run.cell].close(end.run, end.result)
        return Finished(end.run, end.result) if end.result else Failed(end.run, end.reason)

    def _end_hung(self) -> None:
        now = self._clock()
        for run, heard in self._heard.items():
            if now - heard > self._silence and run not in self._hung:
                self._hung.add(run)
                self._crew.kill(run)
