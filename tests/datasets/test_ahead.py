import threading
from collections.abc import Iterator

import pytest

from nestbench.datasets.ahead import AHEAD, ahead


def test_items_come_in_their_order():
    assert list(ahead(iter(range(50)))) == list(range(50))


def test_what_is_raised_comes_after_the_items_before_it():
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    items = ahead(broken())
    assert next(items) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)


def test_no_more_than_a_few_are_made_before_they_are_asked_for():
    made: list[int] = []
    full = threading.Event()

    def counting() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            if number > AHEAD:
                full.set()
            yield number

    items = ahead(counting())
    assert next(items) == 0
    assert full.wait(5)
    assert len(made) <= AHEAD + 3
    items.close()


def test_the_thread_ends_with_the_iteration():
    items = ahead(iter(range(1000)))
    next(items)
    items.close()
    for thread in threading.enumerate():
        if thread.name == "ahead":
            thread.join(5)
            assert not thread.is_alive()
