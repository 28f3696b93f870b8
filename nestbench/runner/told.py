"""From a function that calls back to a generator of what it said."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event
from typing import Any, TypeVar

Said = TypeVar("Said")
Answer = TypeVar("Answer")


class _NobodyListensError(Exception):
    """Raised in the work when the one who listened has gone."""


def told(work: Callable[[Callable[[Said], None]], Answer]) -> Generator[Said, None, Answer]:
    """Run ``work(say)`` in a thread, yield all that it says as it says it, and return its answer or raise its error.

    Where the generator is closed or interrupted, the work ends the next time it says something.
    """
    said: SimpleQueue[Said | None] = SimpleQueue()
    gone = Event()

    def say(word: Said) -> None:
        if gone.is_set():
            raise _NobodyListensError
        said.put(word)

    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(work, say)
        future.add_done_callback(lambda _: said.put(None))
        try:
            while (word := said.get()) is not None:
                yield word
        finally:
            gone.set()
        return future.result()


def answer_of(generator: Generator[Any, None, Answer]) -> Answer:
    """What a generator returns, with no ear for what it yields."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
