"""Whether the machines of a cluster see the same folders."""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from nestbench import __version__
from nestbench.results.atomic import writable
from nestbench.results.lock import take

Tokens = dict[Path, str]
"""What lies in a file of each shared folder."""


@contextmanager
def tokens(folders: Sequence[Path]) -> Iterator[Tokens]:
    """Leave a file in each folder that only who sees the same folder can read; they go when the block ends.

    Raises RequestError for a folder that cannot be written to.
    """
    with ExitStack() as stack:
        left = {}
        for folder in folders:
            writable(folder)
            _sweep(folder)
            file = stack.enter_context(_token(folder.absolute()))
            stack.callback(Path(file.name).unlink, missing_ok=True)
            left[Path(file.name)] = uuid.uuid4().hex
            file.write(left[Path(file.name)])
            file.flush()
            os.fsync(file.fileno())  # a network's file system shows others no more than that
        yield left


def _token(folder: Path) -> IO[str]:
    """A new file that is held for as long as it is open; who sweeps meanwhile may take it before it is held."""
    while True:
        path = folder / f".shared.{uuid.uuid4().hex}"
        file = path.open("x", encoding="utf-8")
        if take(file) and path.exists():
            return file
        file.close()


def _sweep(folder: Path) -> None:
    """Remove the tokens that nobody holds: a coordinator that was killed left them.

    What cannot be removed, such as another user's in a folder that several share, stays.
    """
    for path in folder.glob(".shared.*"):
        with suppress(OSError), path.open("r+") as file:  # NFS lets only who may write hold a file
            if take(file):
                path.unlink(missing_ok=True)


def unseen(left: Tokens) -> str:
    """What is wrong with the first folder that this machine does not share; nothing where it shares all of them."""
    for path, word in left.items():
        try:
            if path.read_text(encoding="utf-8") != word:
                return f"sees another folder '{path.parent}'"
        except OSError as error:
            return f"does not see the folder '{path.parent}' as it is here ({error.strerror})"
        if not os.access(path.parent, os.W_OK):
            return f"cannot write to the folder '{path.parent}'"
    return ""


def misfit(left: Tokens, version: str) -> str:
    """Why this machine cannot do runs of a coordinator with that version of nestbench; nothing where it can."""
    return unseen(left) if version == __version__ else f"has nestbench {__version__}, and here is {version}"
