"""Which files are to be predicted, and where their masks go; what is wrong with them all is said before any work."""

import glob
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nestbench.errors import RequestError, refuse
from nestbench.formats import metaimage, nifti, stacks
from nestbench.formats.volumes import is_series, look, stem
from nestbench.model import Spec
from nestbench.predict.channels import Channels, Marks, grouped, mark_of
from nestbench.predict.images import SUFFIXES, suffix

GREY_AS_COLOUR = (1, 3)
"""Channels of an image and of a network that do not agree and yet fit."""


_VOLUMES = "NIfTI, NRRD, MetaImage, TIFF of pages, folders of a DICOM series"


@dataclass(frozen=True)
class Task:
    """One image, where its mask goes, and where its probabilities go if they are wanted."""

    source: Path
    """Its file, or that of its first channel, or a folder of a DICOM series."""
    mask: Path
    probabilities: Path | None = None
    others: tuple[Path, ...] = ()
    """The files of its further channels, in their order."""
    wrong: str = ""
    """Why its files are no image, where that is known by their names."""

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files that it writes."""
        return (self.mask,) if self.probabilities is None else (self.mask, self.probabilities)


def find_images(names: Iterable[str], marks: Marks = ()) -> list[Path | Channels]:
    """Files by their names, those directly in folders, and those that patterns match, each once, in that order.

    A folder of a DICOM series counts as a file. With marks, files that bear them are channels and put together to
    images; a folder then stands for those directly in it, or where there are none for all below it.

    Raises RequestError for a name that stands for no file, or for one of a format that is not read.
    """
    found: dict[Path, Path] = {}
    for name in names:
        for path in _marked(name, marks) or _named(name):
            found.setdefault(path.resolve(), path)
    whole = [path for path in found.values() if mark_of(path, marks) is None]
    return [*whole, *grouped((path for path in found.values() if mark_of(path, marks)), marks)]


def plan_tasks(sources: Sequence[Path | Channels], out: Path, probabilities: bool = False) -> list[Task]:
    """Give each image its outputs in ``out``: a mask of its own format, which can say where it lies.

    But the mask of a DICOM series is NAME.nii.gz, of a MetaImage of two files (.mhd) one file (.mha), of JPEG and BMP
    PNG.

    Raises RequestError where two would have one name, and where an image would be overwritten.
    """
    tasks = [_task(source, out, probabilities) for source in sources]
    written = Counter(path for task in tasks for path in task.outputs)
    for path, count in written.items():
        if count > 1:
            first, second = [str(task.source) for task in tasks if path in task.outputs][:2]
            raise RequestError(f"'{first}' and '{second}' would both be written to '{path}': predict them apart")
    images = {path.resolve() for task in tasks for path in (task.source, *task.others)}
    for path in written:
        if path.resolve() in images:
            raise RequestError(f"--out '{out}' would overwrite the image '{path}': choose another folder")
    return tasks


def check_tasks(tasks: Sequence[Task], spec: Spec) -> None:
    """Hold every image's header against what the network takes.

    Raises RequestError where it takes none of them; an image that does not fit among others fails alone, in its turn.
    """
    found = [misfit(task, spec) for task in tasks]
    if all(found):
        refuse("no image fits the network:", found)


def misfit(task: Task, spec: Spec) -> str:
    """Why the network cannot take an image, by its headers; empty where it can, and for a header that is damaged."""
    held = [look(path) for path in (task.source, *task.others)]
    if task.wrong or None in held:
        return task.wrong
    known = [one for one in held if one is not None]
    if spec.dims == 3 and not all(one.volume for one in known):
        return f"'{task.source}' is a picture, and the network takes volumes ({_VOLUMES})"
    channels = sum(one.channels for one in known)
    if channels != spec.in_channels and (channels, spec.in_channels) != GREY_AS_COLOUR:
        beside = f" and the {len(task.others)} beside it have" if task.others else " has"
        return f"'{task.source}'{beside} {_channels(channels)}, and the network takes {_channels(spec.in_channels)}"
    return ""


def _marked(name: str, marks: Marks) -> list[Path]:
    """The files in a folder that bear marks: those directly in it, or else all below."""
    folder = Path(name)
    if not (marks and folder.is_dir()):
        return []
    below = [path for path in sorted(folder.rglob("*")) if not path.name.startswith(".") and mark_of(path, marks)]
    found = [path for path in below if suffix(path) and path.is_file()]
    return [path for path in found if path.parent == folder] or found


def _named(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        inside = [path] if is_series(path) else sorted(p for p in path.iterdir() if not p.name.startswith("."))
        return _some(inside, f"no image lies in the folder '{name}'")
    if path.is_file():
        return _some([path], f"'{name}' is no image that can be read")
    if glob.has_magic(name):
        # A path's own glob takes no absolute pattern.
        return _some(sorted(map(Path, glob.glob(name, recursive=True))), f"no image matches '{name}'")  # noqa: PTH207
    raise RequestError(f"'{name}' is not there: an image, a folder or a pattern is wanted")


def _some(paths: list[Path], otherwise: str) -> list[Path]:
    """Those of the paths that are images."""
    found = [path for path in paths if (suffix(path) and path.is_file()) or is_series(path)]
    if not found:
        raise RequestError(f"{otherwise} (allowed: {', '.join(SUFFIXES)}, folders of a DICOM series)")
    return found


def _task(source: Path | Channels, out: Path, probabilities: bool) -> Task:
    if isinstance(source, Path):
        source = Channels((source,), stem(source if source.name.strip(".") else source.resolve()))
    (first, *others), name, wrong = source
    mask = out / f"{name}{_ending(first)}"
    return Task(first, mask, out / f"{name}.npy" if probabilities else None, tuple(others), wrong)


def _ending(source: Path) -> str:
    """What the name of an image's mask ends in."""
    if source.is_dir():
        return ".nii.gz"
    if suffix(source) == ".mhd":
        return ".mha"
    keeps = (*nifti.SUFFIXES, *metaimage.SUFFIXES, *stacks.SUFFIXES)
    return source.name[len(stem(source)) :] if suffix(source) in keeps else ".png"


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"
