"""A download as it is on the server: every byte of it, with the sum that it should have."""

import shutil
from hashlib import sha256
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pooch

from nestbench.datasets.contract import Download
from nestbench.datasets.fetch.members import SUFFIXES
from nestbench.datasets.fetch.space import need
from nestbench.datasets.fetch.transfer import Patience, Tell, forget, transfer
from nestbench.errors import RunError

# It tells of each step on stderr, where our own words are.
pooch.get_logger().setLevel("WARNING")


def get_archive(download: Download, workshop: Path, tell: Tell, patience: Patience) -> Path:
    """Get a download into a folder of its own below ``workshop``, where it may lie already, whole or begun.

    Raises RunError where it cannot be had or has another sum than it should, and OSError where the disk is too small.
    """
    folder = workshop / sha256(download.url.encode()).hexdigest()[:12]
    folder.mkdir(exist_ok=True)
    need(folder, _missing(download, folder))
    part = folder / f"{name_of(download)}.part"

    def get(url: str, output: str, _: object) -> None:
        transfer(url, part, patience, tell)
        _share(part, Path(output))

    try:
        archive = pooch.retrieve(download.url, _known(download), name_of(download), folder, downloader=get)
    except ValueError as error:  # pooch's word for another sum, in several sentences
        forget(part)
        why = str(error).partition(". ")[0]
        raise RunError(f"what '{download.url}' sent was thrown away: {why}") from error
    forget(part)
    return Path(archive)


def name_of(download: Download) -> str:
    """The file's name on the server."""
    return PurePosixPath(urlsplit(download.url).path).name


def is_packed(download: Download) -> bool:
    """Whether it is an archive, by its name."""
    return name_of(download).lower().endswith(SUFFIXES)


def _missing(download: Download, folder: Path) -> int:
    """Bytes that are still to be written: the archive, and what it holds, which is at least as much again."""
    held = sum(file.stat().st_size for file in folder.iterdir())
    return download.size * (2 if is_packed(download) else 1) - held


def _share(part: Path, output: Path) -> None:
    """Give pooch the part to check and to keep; it stays ours too, should we be killed meanwhile."""
    output.unlink()
    try:
        output.hardlink_to(part)
    except OSError:  # not every disk can
        shutil.copyfile(part, output)


def _known(download: Download) -> str | None:
    """The sum in pooch's words."""
    if download.sha256:
        return f"sha256:{download.sha256}"
    return f"md5:{download.md5}" if download.md5 else None
