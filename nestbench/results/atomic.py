"""Files that appear whole or not at all."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nestbench.errors import RequestError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to, and put it in its place when the block ends without error.

    Raises RequestError where the folder cannot be written to.
    """
    writable(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        sync(beside)
        beside.chmod(0o644)
        beside.replace(path)
        sync(path.parent)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON whole or not at all."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def writable(folder: Path) -> None:
    """Make sure that ``folder`` exists and takes files.

    Raises RequestError that names the folder and the system's reason.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".probe.")
    except OSError as error:
        raise RequestError(f"cannot write to the folder '{folder}': {error.strerror}") from error
    os.close(handle)
    Path(name).unlink(missing_ok=True)  # who holds the folder may have swept it away


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left in a folder beside their files; it must be held by who calls."""
    for left in folder.glob(".*.*"):
        left.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Return when a file, or the list of what is in a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
