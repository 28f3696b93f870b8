"""Arrays of an .npz file, which is a zip of .npy files, without holding them in memory.

What a zip has compressed is read from its beginning only. So an array that is asked for is unpacked once for each
process, into a file of the folder for temporary files ($TMPDIR) that has no name and goes when nobody uses it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile, gettempdir
from threading import Lock
from typing import IO, Any, NamedTuple
from weakref import finalize
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from nestbench.errors import RequestError
from nestbench.formats.pictures import naming

MOST_BYTES = 2**33
"""Of one array, 8 GiB, whatever little of it is left in its zip."""

OPEN = 8
"""Arrays that stay unpacked in a process."""

_READ: dict[tuple[int, int], Callable[..., Any]] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}
_LOCK = Lock()


class Header(NamedTuple):
    """What an .npy file says of its array before the values."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_column: bool
    """Whether the first axis runs fastest, as in Fortran."""
    start: int
    """Bytes before the values."""


def headers(path: Path) -> dict[str, Header]:
    """Shape and type of each array, by name; no values are read.

    Raises RequestError that names the file, and the array where it holds Python objects, which would have to be
    unpickled, or is larger than MOST_BYTES or other than it says.
    """
    with naming(path), ZipFile(path) as archive:
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        return {info.filename.removesuffix(".npy"): _header(path, archive, info) for info in members}


def item(path: Path, name: str, index: int) -> NDArray[Any]:
    """One element of an array along its first axis; the array is unpacked where it is not yet.

    Raises RequestError as ``headers`` does, and where there is no room to unpack it.
    """
    with _LOCK, naming(path):
        unpacked = _unpacked(path, path.stat().st_mtime_ns, name)
    file, header = unpacked.file, unpacked.header
    # Mapped anew each time: pages that were looked at would stay resident as long as a map does.
    mapped = np.memmap(file, header.dtype, "r", header.start, header.shape, "F" if header.by_column else "C")
    return np.array(mapped[index])


@dataclass(frozen=True, eq=False)
class _Unpacked:
    file: IO[bytes]
    header: Header


@lru_cache(maxsize=OPEN)
def _unpacked(path: Path, stamp: int, name: str) -> _Unpacked:  # noqa: ARG001 - the stamp is part of the key
    with ZipFile(path) as archive:
        member = archive.getinfo(f"{name}.npy")
        header = _header(path, archive, member)
        unpacked = _Unpacked(TemporaryFile(), header)  # noqa: SIM115 - open for as long as it is in use
        finalize(unpacked, unpacked.file.close)
        try:
            with archive.open(member) as source:
                copyfileobj(source, unpacked.file, 2**20)
            unpacked.file.flush()
        except OSError as error:
            where = f"'{name}' of '{path}' in '{gettempdir()}'"
            raise RequestError(f"cannot unpack {where}: {error.strerror or error}") from error
    return unpacked


def _header(path: Path, archive: ZipFile, info: ZipInfo) -> Header:
    with archive.open(info) as file:
        version = npy.read_magic(file)
        if version not in _READ:
            raise RequestError(f"array '{info.filename}' of '{path}' is in an unknown version of the format: {version}")
        shape, by_column, dtype = _READ[version](file)
        start = file.tell()
    size = math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise RequestError(f"array '{info.filename}' of '{path}' holds Python objects, which are never unpickled")
    if size > MOST_BYTES:
        raise RequestError(f"array '{info.filename}' of '{path}' has {size:,} bytes, and {MOST_BYTES:,} is the most")
    if info.file_size != start + size or min(shape, default=0) < 0:
        raise RequestError(
            f"array '{info.filename}' of '{path}' is damaged: {info.file_size - start:,} bytes for {size:,}"
        )
    return Header(shape, dtype, by_column, start)
