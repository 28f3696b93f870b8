"""From a function that calls back to a generator of what it said."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

Said = TypeVar("Said")
Answer = TypeVar("Answer")


def told(work: Callable[[Callable[[Said], None]], Answer]) -> Generator[Said, None, Answer]:
    """Run ``work(say)`` in a thread, yield all that it says as it says it, and return its answer or raise its error."""
    said: SimpleQueue[Said | None] = SimpleQueue()
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(work, said.put)
        future.add_done_callback(lambda _: said.put(None))
        while (word := said.get()) is not None:
            yield word
        return future.result()
