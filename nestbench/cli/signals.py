"""Ctrl-C and SIGTERM: the first asks to stop in good order, a second Ctrl-C stops at once."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


class Wish:
    """Whether, and by which signal, this process was asked to stop."""

    def __init__(self) -> None:
        self.code = 0
        """Exit code of a process that stops by that signal; 0 where it was not asked."""

    def __call__(self) -> bool:
        """Whether it was asked."""
        return bool(self.code)

    def hear(self, number: int, _: FrameType | None) -> None:
        """Take a signal."""
        if self.code and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.code = self.code or 128 + number
        again = "; Ctrl-C once more stops at once" if number == signal.SIGINT else ""
        print(f"stopping after the step that is being taken{again}", file=sys.stderr, flush=True)


@contextmanager
def stoppable() -> Iterator[Wish]:
    """Turn the signals that end a process into a wish, within the block."""
    wish = Wish()
    before = {number: signal.signal(number, wish.hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
