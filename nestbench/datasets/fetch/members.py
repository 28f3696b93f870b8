"""What is in an archive, looked through before anything of it is written.

An archive comes from elsewhere: its names may lead anywhere, and its headers may say anything.
"""

import re
import stat
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Literal, NamedTuple

from rich.filesize import decimal

from nestbench.errors import RunError
from nestbench.study.sentences import shown

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

MOST_MEMBERS = 2**20
MOST_BYTES = 2**40
RATIO = 200
"""Times that the files may be larger than their archive: images stay far below, and deflate ends at about 1030."""
FREE_BYTES = 2**26
"""Bytes up to which the ratio is of no matter."""
LONGEST_PART, LONGEST = 255, 1000
"""Bytes of one part of a name, and of the whole."""

Kind = Literal["a file", "a folder", "a link", "a device", "encrypted"]

_UNWRITABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""Controls, and bytes that are no text."""


class Member(NamedTuple):
    """One member of an archive, under the name that it has there."""

    name: str
    size: int
    kind: Kind
    open: Callable[[], IO[bytes] | None]


class Taken(NamedTuple):
    """A name that some member has, or a folder above one."""

    name: str
    is_file: bool


@contextmanager
def members_of(archive: Path) -> Iterator[Iterable[Member]]:
    """Open an archive, which is a zip or a tar by its name, and give its members in its own order."""
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as file:
            yield (Member(i.filename, i.file_size, _zip_kind(i), partial(file.open, i)) for i in file.infolist())
    else:
        with tarfile.open(archive) as file:
            yield _tar_members(file)


def accepted(members: Iterable[Member], packed: int, part: str) -> list[Member]:
    """Files of an archive of ``packed`` bytes that are below its folder ``part``, named as below that folder.

    Hidden files are left out, as nobody reads them.

    Raises RunError, with what is wrong with the archive, for a member that is no plain file, leads elsewhere, is not
    told apart from another on every system, or is too much.
    """
    files, taken, total = [], dict[str, Taken](), 0
    for number, member in enumerate(members):
        path = _path(member)
        _claim(path, member, taken)
        total += member.size
        _refuse_bomb(number, total, packed)
        if member.kind == "a file" and path.is_relative_to(part) and not _is_hidden(path):
            files.append(member._replace(name=str(path.relative_to(part))))
    if not files:
        raise RunError(f"it holds no file{f' below {shown(part)}' if part else ''}")
    return files


def _tar_members(file: tarfile.TarFile) -> Iterator[Member]:
    """Members of a tar, which must go on to its end: Python takes a damaged header for one."""
    for info in file:
        yield Member(info.name, info.size, _tar_kind(info), partial(file.extractfile, info))
    if file.fileobj is not None:
        file.fileobj.seek(file.offset)
        if file.fileobj.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
            raise RunError("it is damaged: it stops before its end")


def _zip_kind(info: zipfile.ZipInfo) -> Kind:
    form = stat.S_IFMT(info.external_attr >> 16)
    if info.flag_bits & 1:
        return "encrypted"
    if form == stat.S_IFLNK:
        return "a link"
    if form not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a device"
    return "a folder" if info.is_dir() or form == stat.S_IFDIR else "a file"


def _tar_kind(info: tarfile.TarInfo) -> Kind:
    if info.issym() or info.islnk():
        return "a link"
    if info.isdir():
        return "a folder"
    return "a file" if info.isreg() else "a device"


def _path(member: Member) -> PurePosixPath:
    """The member's place, which is below the folder that is unpacked into."""
    path = PurePosixPath(member.name)
    wrong = ""
    if member.kind not in ("a file", "a folder"):
        wrong = f"is {member.kind}"
    elif path.is_absolute() or "\\" in member.name or member.name[1:2] == ":":
        wrong = "has the name of a place on some machine"
    elif ".." in path.parts or (member.kind == "a file" and not path.parts):
        wrong = "leads out of the folder that is unpacked into"
    elif _UNWRITABLE.search(member.name):
        wrong = "has characters that no name should have"
    elif max(map(_bytes, path.parts), default=0) > LONGEST_PART or _bytes(str(path)) > LONGEST:
        wrong = f"has a name of more than {LONGEST_PART} bytes between two slashes, or {LONGEST} in all"
    if wrong:
        raise RunError(f"its member {shown(member.name)} {wrong}")
    return path


def _claim(path: PurePosixPath, member: Member, taken: dict[str, Taken]) -> None:
    """Note the name and those of the folders above it, each of which must be told apart where case does not count."""
    for place in (*reversed(path.parents[:-1]), path):
        mine = Taken(str(place), is_file=place == path and member.kind == "a file")
        other = taken.setdefault(unicodedata.normalize("NFC", mine.name.casefold()), mine)
        if other is mine:
            continue
        if other.name != mine.name:
            raise RunError(f"its members {shown(other.name)} and {shown(mine.name)} differ in case alone")
        if other.is_file or mine.is_file:
            raise RunError(f"it has two members of the name {shown(mine.name)}")


def _refuse_bomb(number: int, total: int, packed: int) -> None:
    if number >= MOST_MEMBERS:
        raise RunError(f"it has more than {MOST_MEMBERS:,} members")
    if total > MOST_BYTES:
        raise RunError(f"it holds more than {decimal(MOST_BYTES)}")
    if total > max(FREE_BYTES, RATIO * packed):
        raise RunError(f"its {decimal(packed)} hold more than {RATIO} times as much, as if made to fill a disk")


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _bytes(text: str) -> int:
    return len(text.encode())
