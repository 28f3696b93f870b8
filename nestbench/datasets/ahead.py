"""Working ahead: what an iterator gives is made by a thread before it is asked for."""

from collections.abc import Iterator
from contextlib import suppress
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")

AHEAD = 4
"""Items that wait to be asked for."""


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items in their order, a few of them made ahead by a thread of their own.

    What ``items`` raises is raised where its next item would have come. The thread ends with the iteration, also where
    that is broken off.
    """
    waiting: Queue[Item | BaseException | None] = Queue(AHEAD)
    over = Event()

    def put(item: Item | BaseException | None) -> None:
        while not over.is_set():
            with suppress(Full):
                waiting.put(item, timeout=0.1)
                return

    def work() -> None:
        try:
            for item in items:
                put(item)
                if over.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        over.set()
        # A thread that is inside torch when the process ends would take it down with an error.
        thread.join()
