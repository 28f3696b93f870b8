"""What fetch does: each download in its place below the data root, whole or not at all.

ROOT/nuclei/stage1_train            the place
ROOT/nuclei/.stage1_train.fetch/    the workshop beside it, on the same disk
    record.json                     what was put there, by which a later fetch knows it again
    1f0c.../stage1_train.zip        the archive, kept until it is unpacked; .part while it comes
    unpacked/                       what is renamed to the place
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nestbench.datasets.contract import About, Download
from nestbench.datasets.fetch.archive import get_archive, is_packed, name_of
from nestbench.datasets.fetch.content import content_of
from nestbench.datasets.fetch.space import settle, writing
from nestbench.datasets.fetch.transfer import PATIENCE, Patience, Tell
from nestbench.datasets.fetch.unpack import unpack
from nestbench.errors import RequestError, RunError
from nestbench.results.atomic import writable, write_json


@dataclass(frozen=True)
class Fetched:
    """A download in its place."""

    place: Path
    is_new: bool
    """False where it was there already."""


def fetch_all(name: str, about: About, root: Path, tell: Tell, patience: Patience = PATIENCE) -> Iterator[Fetched]:
    """Put every download of the data set ``name`` in its place below ``root``, one after the other.

    Raises RequestError where there is none or a place is taken, and RunError where one cannot be had.
    """
    if not about.downloads:
        why = about.obtain or "its files are one's own, or drawn"
        raise RequestError(f"data set '{name}' cannot be fetched: {why}")
    for download in about.downloads:
        yield fetch(download, root, tell, patience)


def fetch(download: Download, root: Path, tell: Tell, patience: Patience = PATIENCE) -> Fetched:
    """Put one download in its place below ``root``; what an earlier try has left is used.

    Raises RequestError where something else is in its place, another process is at it, or nothing can be written
    there; RunError where it cannot be had, is not what it should be, or the disk is full.
    """
    place = _place(download, root)
    workshop = place.with_name(f".{place.name}.fetch")
    with writing(workshop):
        if _is_there(place):
            _refuse_other(place, download, workshop)
            _tidy(workshop)
            return Fetched(place, is_new=False)
        writable(workshop)
        with _alone(workshop):
            if not _is_there(place):  # another process may have been quicker
                _put(download, place, workshop, tell, patience)
            _tidy(workshop)
    return Fetched(place, is_new=True)


def _put(download: Download, place: Path, workshop: Path, tell: Tell, patience: Patience) -> None:
    archive = get_archive(download, workshop, tell, patience)
    try:
        fresh = _unpacked(download, archive, workshop / "unpacked" / place.name, tell)
        content = _checked(fresh, download)
    except RunError as error:
        archive.unlink()
        raise RunError(f"what '{download.url}' sent was thrown away: {error}") from error
    settle(fresh)
    write_json(workshop / "record.json", {"url": download.url, "content": content})
    fresh.replace(place)


def _unpacked(download: Download, archive: Path, fresh: Path, tell: Tell) -> Path:
    """What goes to the place: the files of an archive as the folder ``fresh``, or a file that is kept as it is."""
    if not is_packed(download):
        return archive
    shutil.rmtree(fresh, ignore_errors=True)  # of a process that was killed
    fresh.parent.mkdir(exist_ok=True)
    unpack(archive, fresh, download.part, tell)
    return fresh


def _checked(fresh: Path, download: Download) -> str:
    """The content's sum.

    Raises RunError where it is another than it should be.
    """
    content = content_of(fresh)
    if content != (download.content or content):
        raise RunError(f"its content has the sum {content} and should have {download.content}")
    return content


def _place(download: Download, root: Path) -> Path:
    folder = root / download.folder
    return folder if is_packed(download) else folder / name_of(download)


def _is_there(place: Path) -> bool:
    """Whether anything is in the place; an empty folder is nothing."""
    return any(place.iterdir()) if place.is_dir() else place.exists()


def _refuse_other(place: Path, download: Download, workshop: Path) -> None:
    """Raise RequestError unless exactly what fetch puts there is in the place."""
    wanted = download.content or _recorded(download, workshop)
    if not wanted:
        raise RequestError(f"'{place}' was not put there by fetch, which overwrites nothing: move it away to fetch it")
    if content_of(place) != wanted:
        raise RequestError(
            f"'{place}' is not as fetch puts it there (files were changed, added or taken away), and nothing is "
            "overwritten: move it away to fetch it anew"
        )


def _recorded(download: Download, workshop: Path) -> str:
    """The sum of what was put in the place from the same url; empty where nobody knows."""
    try:
        record = json.loads((workshop / "record.json").read_text(encoding="utf-8"))
        return str(record["content"]) if record["url"] == download.url else ""
    except (OSError, ValueError, TypeError, KeyError):
        return ""


def _tidy(workshop: Path) -> None:
    """Leave the record alone in the workshop."""
    for left in workshop.glob("*/"):
        shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _alone(workshop: Path) -> Iterator[None]:
    """Hold the workshop; the system lets go of it even when the process is killed.

    Raises RequestError where another process holds it.
    """
    handle = os.open(workshop, os.O_RDONLY)
    try:
        _hold(handle, workshop)
        yield
    finally:
        os.close(handle)


def _hold(handle: int, workshop: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RequestError(f"another process is fetching into '{workshop.parent}' at this moment") from error
