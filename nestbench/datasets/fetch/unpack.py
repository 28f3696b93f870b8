"""The files of an archive as a folder, or nothing of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nestbench.datasets.fetch.members import Member, accepted, members_of
from nestbench.datasets.fetch.space import need
from nestbench.datasets.fetch.transfer import Tell
from nestbench.errors import RunError, reason
from nestbench.study.sentences import shown

_CHUNK = 2**20


def unpack(archive: Path, folder: Path, part: str, tell: Tell) -> None:
    """Write the files below the folder ``part`` of an archive into ``folder``, which is made.

    Nothing is written of an archive in which any member is not as it should be.

    Raises RunError, with what is wrong with the archive, and OSError where the disk does not take it.
    """
    with _judged(), members_of(archive) as members:
        files = accepted(members, archive.stat().st_size, part)
        total = sum(member.size for member in files)
        need(folder.parent, total)
        done = 0
        for member in files:
            _write(member, folder / member.name)
            done += member.size
            tell("unpacking", done, total)


@contextmanager
def _judged() -> Iterator[None]:
    """Turn whatever a decoder raises on a damaged archive into a RunError; what the system says of the disk stays."""
    try:
        yield
    except OSError as error:
        if error.errno:
            raise
        raise RunError(f"it is damaged: {reason(error)}") from error
    except RunError:
        raise
    except Exception as error:
        raise RunError(f"it is damaged, or packed in a way that is not known: {reason(error)}") from error


def _write(member: Member, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    source = member.open()
    if source is None:
        raise RunError(f"its member {shown(member.name)} cannot be opened")
    with source, path.open("xb") as target:
        _copy(source, target, member)


def _copy(source: IO[bytes], target: IO[bytes], member: Member) -> None:
    """Copy as many bytes as the member declares, and refuse one that holds more or fewer."""
    left = member.size
    while left >= 0 and (chunk := source.read(_CHUNK)):
        left -= len(chunk)
        if left >= 0:
            target.write(chunk)
    if left:
        raise RunError(f"its member {shown(member.name)} does not hold the {member.size:,} bytes that it declares")
