"""Files that one process holds at a time, on every machine that shares them; the system lets go when a holder dies."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from nestbench.errors import RequestError, RunError
from nestbench.results.running import Mark, read_mark

PATIENCE = 60
"""Seconds that a run waits for another process to let go of it: what a machine cut off from the others goes on for."""


def take(file: IO[Any], looks: int = 0) -> bool:
    """Hold an open file until it is closed; False where another process holds it.

    Who only looks holds it for a moment: ``looks`` is how often this is tried again, a tenth of a second later.
    Raises RequestError where the file system has no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not looks:
            return False
        time.sleep(0.1)
        return take(file, looks - 1)
    except OSError as error:
        raise RequestError(
            f"the file system of '{file.name}' does not lock files ({error.strerror}): "
            "keep results on one that does, such as a local disk, NFS 4, or Lustre mounted with 'flock'"
        ) from error
    return True


@contextmanager
def held(folder: Path, patience: int = PATIENCE) -> Iterator[None]:
    """Hold a run's folder.

    Raises RunError that names host and process where another one holds it and does not let go in ``patience`` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as file:
        while not take(file):
            if patience <= 0:
                mark = read_mark(folder)
                who = f"process {mark.process} on host '{mark.host}'" if mark else "another process"
                raise RunError(f"{who} is still at work on this run")
            patience -= 1
            time.sleep(1)
        yield


def at_work(folder: Path) -> Mark | None:
    """Who works on a run; None where nobody does, or where who did is gone, on whatever machine that was."""
    mark = read_mark(folder)
    return mark if mark is not None and is_held(folder / ".lock") else None


def is_held(path: Path) -> bool:
    """Whether a process holds a file; False where there is no such file."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # for a moment: who wants to hold it tries again
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
