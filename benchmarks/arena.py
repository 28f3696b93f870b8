"""Contestants that take turns, each in a process of its own: what one does to its process is not done to the others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from nestbench.errors import NestbenchError, RunError, reason
from nestbench.machine import wait
from nestbench.machine.memory import held
from nestbench.speed.pace import Ratio, ratios
from nestbench.speed.rounds import Pass, Seconds, take_turns, warm_up

Maker = Callable[[], Pass]
"""Makes a contestant ready in its process. A pass may return before the device has done what it was asked for."""

PATIENCE = 5.0
"""Seconds that a process has to come to its end once its line is closed."""


@dataclass(frozen=True)
class Contestant:
    """The far end of a process."""

    name: str
    line: Connection

    def ready(self) -> None:
        """Wait until it is ready."""
        self._heard()

    def work(self) -> object:
        """What one pass there returned, once the device has done it."""
        return self._asked("work")

    def memory(self) -> int:
        """Bytes that making it ready, and its passes so far, added at the peak."""
        return int(self._asked("memory"))

    def _asked(self, what: str) -> Any:
        with suppress(BrokenPipeError):
            self.line.send(what)
        return self._heard()

    def _heard(self) -> Any:
        try:
            heard = self.line.recv()
        except (EOFError, ConnectionResetError):
            raise RunError(f"the process of '{self.name}' has died: was there too little memory?") from None
        if isinstance(heard, NestbenchError):
            raise heard
        return heard


@contextmanager
def arena(makers: dict[str, Maker], device: str) -> Iterator[dict[str, Contestant]]:
    """Start a process for each maker, one after the other, and end them all.

    Raises what a maker raised, of the errors of nestbench, and RunError for one that failed or whose process died.
    """
    context, started, processes = get_context("spawn"), {}, []
    try:
        for name, maker in makers.items():
            near, far = context.Pipe()
            processes.append(context.Process(target=_serve, args=(far, name, maker, device), daemon=True))
            processes[-1].start()
            far.close()  # so that the line ends with the process
            started[name] = Contestant(name, near)
            started[name].ready()
        yield started
    finally:
        for one in started.values():
            one.line.close()
        for process in processes:
            process.join(PATIENCE)
            process.terminate()
            process.join()


def repeated(work: Pass, times: int) -> Pass:
    """So many passes as one."""

    def works() -> None:
        for _ in range(times):
            work()

    return works


def compete(contestants: dict[str, Contestant], rounds: int) -> Seconds:
    """Seconds of each contestant's passes in interleaved rounds, after a warm-up until they are steady."""
    passes = [one.work for one in contestants.values()]
    warm_up(passes, lambda: None)
    return take_turns(passes, rounds, lambda _: None)


def speedups(taken: Seconds, reference: int = 0) -> list[Ratio]:
    """How many times faster than the reference each is, by medians, with 95 % intervals."""
    return [Ratio(1 / r.value, 1 / r.high, 1 / r.low) for r in ratios(taken, reference)]


def in_words(ratio: Ratio) -> str:
    """``2.13x (2.08 to 2.19)``."""
    return f"{ratio.value:5.2f}x ({ratio.low:.2f} to {ratio.high:.2f})"


def _serve(line: Connection, name: str, maker: Maker, device: str) -> None:
    with suppress(EOFError, BrokenPipeError):  # the line was closed: nobody asks any more
        try:
            before = held(device)
            work = maker()
            line.send("ready")
            while True:
                line.send(_done(work, device) if line.recv() == "work" else held(device) - before)
        except NestbenchError as error:
            line.send(error)
        except (ValueError, TypeError, RuntimeError) as error:  # a network of anybody's refuses as it likes
            line.send(RunError(f"'{name}' failed: {reason(error)}"))


def _done(work: Pass, device: str) -> object:
    answer = work()
    wait(device)
    return answer
