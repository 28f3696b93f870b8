"""Which files are the channels of one image, by the marks in their names.

NAME_0000.nii.gz, NAME_0001.nii.gz                  marks _0000., _0001.    nnU-Net: one image of each NAME
PATIENT/ANY.MR_Flair.1.mha, ANY.MR_T1c.2.mha        marks MR_Flair, MR_T1c  BraTS: one image of each folder
PATIENT/ANY.MR_Flair.1/ANY.MR_Flair.1.mha, ...                              where files may have folders of their own
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from nestbench.formats.volumes import suffix

Marks = tuple[str, ...]
"""What the name of each channel's file holds, in the order of the channels; upper and lower case are one."""


class Channels(NamedTuple):
    """An image of which each channel has a file of its own."""

    files: tuple[Path, ...]
    """Those that are there, in the order of the channels."""
    name: str
    """What the files have in common: the name of the mask, without its suffix."""
    wrong: str = ""
    """Which channel has no file, or several; empty where each has one."""


def mark_of(path: Path, marks: Marks) -> str | None:
    """The mark that a file's name holds; None where it holds none."""
    return next((mark for mark in marks if mark.lower() in path.name.lower()), None)


def grouped(paths: Iterable[Path], marks: Marks) -> list[Channels]:
    """Put files that bear marks together to images, in the order of each image's first file."""
    found: dict[tuple[Path, str], list[Path]] = {}
    for path in paths:
        found.setdefault(_image_of(path, marks), []).append(path)
    return [_channels(files, name or folder.resolve().name, marks) for (folder, name), files in found.items()]


def _image_of(path: Path, marks: Marks) -> tuple[Path, str]:
    """The folder of an image, and its name in there; empty where the folder has no other image."""
    mark = (mark_of(path, marks) or "").lower()
    before, _, after = path.name.lower().rpartition(mark)
    if f".{after.lstrip('.')}" == suffix(path):
        return path.parent, path.name[: len(before)]
    if mark.strip("._-") in path.parent.name.lower():
        return path.parent.parent, ""
    return path.parent, ""


def _channels(files: Sequence[Path], name: str, marks: Marks) -> Channels:
    by_mark = {mark: [path for path in files if mark_of(path, marks) == mark] for mark in marks}
    missing = [mark for mark, paths in by_mark.items() if not paths]
    twice = next((paths for paths in by_mark.values() if len(paths) > 1), [])
    wrong = ""
    if missing:
        wrong = f"'{files[0]}' is one of {len(marks)} channels of '{name}', and {_named(missing)} is not there"
    elif twice:
        wrong = f"'{twice[0]}' and '{twice[1]}' are the same channel of '{name}': keep one of them"
    return Channels(tuple(path for paths in by_mark.values() for path in paths), name, wrong)


def _named(missing: Sequence[str]) -> str:
    return " and ".join(f"the one whose name holds '{mark.rstrip('.')}'" for mark in missing)
