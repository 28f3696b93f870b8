"""Folders of the Medical Segmentation Decathlon and of nnU-Net, in 2D and 3D.

TASK/dataset.json                  names of channels and labels
    /labelsTr/NAME.nii.gz          a class a voxel
    /imagesTr/NAME.nii.gz          all channels in one file, as in the Decathlon
             /NAME_0000.nii.gz     or a file a channel (_0001, ...), as in nnU-Net

nnU-Net's files may be NIfTI, NRRD, MetaImage, TIFF stacks or pictures. The Decathlon says nothing of patients, so each
case is a subject, unless a study gives an expression that finds one in its name. imagesTs is not read: its labels are
not public.
"""

import re
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import model_validator

from nestbench.datasets.contract import About, Case, Sample
from nestbench.datasets.readers.decathlon_json import Description, read_description
from nestbench.datasets.readers.decathlon_tasks import FILE, SOURCE, TASKS, folder_at, folder_of
from nestbench.datasets.readers.labels import classified, sample_of
from nestbench.datasets.readers.subjects import Pattern, cases_of
from nestbench.errors import RequestError
from nestbench.formats import pictures, volumes
from nestbench.formats.geometry import stacked
from nestbench.formats.listing import refuse_alike, stamps
from nestbench.study.sentences import checked
from nestbench.study.words import FolderName, Frozen

IMAGES, LABELS = "imagesTr", "labelsTr"

_SUFFIXES = (*volumes.SUFFIXES, *pictures.SUFFIXES)
_CHANNEL = re.compile(r"(.+)_(\d{4})")


class Options(Frozen):
    """Keys of a study for this data set."""

    path: str = ""
    """Folder of a task: absolute, or below the current folder, or below the data root."""
    task: FolderName | None = None
    """Name of a task's folder, in the data root or up to two folders below; without it, the only one there."""
    subject: Pattern | None = None
    """Regular expression with one group, which finds the subject in a case's name; without it each case is one."""

    @model_validator(mode="after")
    def _names_one_place(self) -> "Options":
        if self.path and self.task:
            raise ValueError("path and task are two ways to name one folder: give one of them")
        return self


class Decathlon:
    """One task: images or volumes of one kind, with the channels and classes that its dataset.json names."""

    shares = (0.6, 0.2, 0.2)

    def __init__(self, root: Path, /, **options: Any) -> None:
        self._root = root
        self._options = checked("data set 'decathlon'", Options, options)

    @property
    def about(self) -> About:
        """Where a task of the Decathlon comes from; of another folder its name, and nothing else is known."""
        name = self._options.task or Path(self._options.path).name or "a task of the Decathlon or of nnU-Net"
        if name not in TASKS:
            return About(title=name, licence="not stated", citation="", url="", obtain=SOURCE)
        return About(
            title=f"Medical Segmentation Decathlon, {name}",
            licence="CC BY-SA 4.0",
            citation="Antonelli et al. The Medical Segmentation Decathlon. Nature Communications 13, 4128 (2022)",
            url="http://medicaldecathlon.com",
            downloads=(TASKS[name],),
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in the order of their values in the files."""
        return tuple(name for _, name in self._description.labels)

    @property
    def channels(self) -> int:
        """Those that dataset.json names."""
        return len(self._description.channels)

    @property
    def marks(self) -> tuple[str, ...]:
        """Those of nnU-Net, where images are named by it; a file in colour is three channels."""
        whole = any(volumes.stem(paths[0]) == name for name, paths in self._images.items())
        return () if whole else tuple(f"_{number:04d}." for number in range(max(map(len, self._images.values()))))

    @cached_property
    def dims(self) -> int:
        """2 where the first image is a picture, else 3; a NIfTI of one slice is a volume."""
        first = next(iter(self._images.values()))[0]
        holds = volumes.look(first)
        return 3 if (holds.volume if holds else volumes.suffix(first) in volumes.SUFFIXES) else 2

    def cases(self) -> tuple[Case, ...]:
        """Every name that is in dataset.json, has an image or has a label; ``read`` says what a name is without.

        Raises RequestError where the folder is missing or empty, for names that differ only in case, and for names in
        which no subject is found.
        """
        names = self._images.keys() | self._labels.keys() | self._listed
        refuse_alike(self._folder, names)
        return cases_of(sorted(names), self._options.subject)

    def read(self, case: Case) -> Sample:
        """Channels and classes of one name; values as they are stored.

        Raises RequestError that names the file: not there, not listed, unreadable, another number of channels, another
        grid, a value that is not declared.
        """
        images, label = self._files(case.id)
        classes = {value: index for index, (value, _) in enumerate(self._description.labels)}
        sample = _picture(images, label, classes) if self.dims == 2 else _volume(images, label, classes)
        if sample.image.shape[-1] != self.channels:
            raise RequestError(
                f"'{images[0]}' and the files beside it hold {sample.image.shape[-1]} channels, and "
                f"'{self._folder / FILE}' names {self.channels}"
            )
        return sample

    def fingerprint(self) -> Any:
        """Subjects, what dataset.json says, and place, name, size and time of each file."""
        said = self._description
        files = [stamps(self._folder / part) for part in (IMAGES, LABELS)]
        described = [said.channels, said.labels, sorted(said.training), self._options.subject]
        return {"reader": 1, "folder": str(self._folder.resolve()), "files": files, "described": described}

    @cached_property
    def _folder(self) -> Path:
        if self._options.path:
            return folder_at(self._options.path, self._root)
        return folder_of(self._options.task, self._root)

    @cached_property
    def _description(self) -> Description:
        return read_description(self._folder / FILE)

    @cached_property
    def _listed(self) -> set[str]:
        return {volumes.stem(Path(name)) for name in self._description.training}

    @cached_property
    def _labels(self) -> dict[str, list[Path]]:
        return volumes.by_stem(self._folder / LABELS, _SUFFIXES)

    @cached_property
    def _images(self) -> dict[str, list[Path]]:
        """Files of each name in the order of channels; a name that ends in four digits may be whole."""
        found: dict[str, list[Path]] = {}
        for stem, paths in volumes.by_stem(self._folder / IMAGES, _SUFFIXES).items():
            match = None if stem in self._listed | self._labels.keys() else _CHANNEL.fullmatch(stem)
            found.setdefault(match[1] if match else stem, []).extend(paths)
        if not found:
            raise RequestError(f"'{self._folder / IMAGES}' is empty: it should hold {', '.join(_SUFFIXES)}")
        return found

    def _files(self, name: str) -> tuple[list[Path], Path]:
        images, labels = self._images.get(name, []), self._labels.get(name, [])
        for part, paths in ((IMAGES, images), (LABELS, labels)):
            if not paths:
                raise RequestError(f"'{self._folder / part}' holds no file of '{name}'")
        if self._listed and name not in self._listed:
            raise RequestError(f"'{images[0]}' is not listed as training in '{self._folder / FILE}'")
        if len(labels) > 1:
            raise RequestError(f"mask '{labels[0]}' and '{labels[1]}' have one name, and pairs are made by name")
        _check_channels(name, images)
        return images, labels[0]


def _check_channels(name: str, images: list[Path]) -> None:
    """Raise RequestError where the files are not one, or _0000, _0001 and so on."""
    stems = [volumes.stem(path) for path in images]
    wanted = [name] if name in stems else [f"{name}_{number:04d}" for number in range(len(images))]
    if stems != wanted:
        missing = [] if len(set(stems)) < len(stems) else sorted(set(wanted) - set(stems))
        what = f"'{missing[0]}' is not there" if missing else "one of them is there twice"
        raise RequestError(f"the channels of '{name}' in '{images[0].parent}' are {', '.join(stems)}: {what}")


def _volume(images: list[Path], label: Path, classes: dict[int, int]) -> Sample:
    return sample_of(stacked([volumes.read_volume(path) for path in images]), volumes.read_volume(label), classes)


def _picture(images: list[Path], label: Path, classes: dict[int, int]) -> Sample:
    image, values = pictures.read_channels(images), pictures.read_values(label)
    if values.shape != image.shape[:2]:
        raise RequestError(f"mask '{label}' is {pictures.size_of(values)}, '{images[0]}' {pictures.size_of(image)}")
    return Sample(image, classified(values, classes, label))
