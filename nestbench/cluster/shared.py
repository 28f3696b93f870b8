"""Whether the machines of a cluster see the same folders."""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from nestbench import __version__
from nestbench.results.atomic import write_text

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
            word = uuid.uuid4().hex
            path = folder.absolute() / f".shared.{word}"  # so called, it is swept away where who left it was killed
            write_text(path, word)
            stack.callback(path.unlink, missing_ok=True)
            left[path] = word
        yield left


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
