"""What lies in a folder, in the order of names; hidden files and folders do not count."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nestbench.errors import RequestError, refuse

Stamp = tuple[str, int, int]


def folders(folder: Path) -> list[str]:
    """Names of the folders directly below.

    Raises RequestError where the folder cannot be read.
    """
    with _readable(folder):
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files directly below that end in one of the (lower-case) suffixes.

    Raises RequestError where the folder cannot be read.
    """
    with _readable(folder):
        return sorted(p for p in folder.iterdir() if p.suffix.lower() in suffixes and not p.name.startswith("."))


def refuse_alike(folder: Path, names: Iterable[str]) -> None:
    """Raise RequestError that lists names of a folder that differ only in case: elsewhere these are one file."""
    alike: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        alike.setdefault(name.casefold(), []).append(f"'{name}'")
    twins = [" and ".join(found) for found in alike.values() if len(found) > 1]
    refuse(f"'{folder}' has names that differ only in case:", twins)


def stamps(folder: Path) -> list[Stamp]:
    """Name, size in bytes and time of change in nanoseconds of each file at any depth below.

    Raises RequestError where a folder or file cannot be read.
    """
    with _readable(folder):
        return sorted(_walk(str(folder), ""))


def _walk(folder: str, prefix: str) -> Iterator[Stamp]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _walk(entry.path, f"{prefix}{entry.name}/")
            else:
                state = entry.stat()
                yield prefix + entry.name, state.st_size, state.st_mtime_ns


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RequestError(f"cannot read '{error.filename or folder}': {error.strerror}") from error
