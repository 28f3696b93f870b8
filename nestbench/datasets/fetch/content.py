"""What a folder holds, as one number."""

from hashlib import sha256
from pathlib import Path

from nestbench.formats.listing import stamps

_CHUNK = 2**20


def content_of(place: Path) -> str:
    """SHA-256 (hex) over the name, size and content of each file at any depth, in the order of names.

    ``place`` may be one file too. Hidden files do not count, nor does a folder without files.

    Raises RequestError where something cannot be read.
    """
    found = sha256()
    for name, size in _files(place):
        found.update(f"{name}\0{size}\0".encode())
        with (place / name if place.is_dir() else place).open("rb") as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
    return found.hexdigest()


def _files(place: Path) -> list[tuple[str, int]]:
    """Name below ``place`` and size of each file."""
    if place.is_dir():
        return [(name, size) for name, size, _ in stamps(place)]
    return [(place.name, place.stat().st_size)]
