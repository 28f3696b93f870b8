"""MedSegBench: 35 public sets of medical images, each of them one .npz file for each of three sizes.

SET_PIXELS.npz     {train,val,test}_images (N, H, W) or (N, H, W, 3), uint8
                   {train,val,test}_label (N, H, W), the index of the class
                   the same with _C1, _C2, ... behind it for the parts that some sets have

Its sides are the official ones. The files tell nothing of patients, so each image is a subject of its own, also where
the set it was made from has several of a patient.

    {name: medsegbench, set: busi, pixels: 128, split: official}
"""

from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import field_validator, model_validator

from nestbench.datasets.contract import About, Case, Download, Sample, Side
from nestbench.datasets.readers.medsegbench_sets import SETS, Facts
from nestbench.datasets.readers.places import place_of, places
from nestbench.errors import RequestError, unknown
from nestbench.formats.npz import Header, headers, item
from nestbench.study.sentences import checked
from nestbench.study.words import Frozen

PLACES = ("", "medsegbench")
SIDES: dict[str, Side] = {"train": "train", "val": "validation", "test": "test"}


class Options(Frozen):
    """Keys of a study for this data set."""

    set: str = ""
    """Which of SETS; it may be left out where a path is given."""
    pixels: Literal[128, 256, 512] = 128
    """Pixels a side of the images in the file; a study may resize them to any other size."""
    category: str = ""
    """C1, C2, ...: the part of the set, where there are parts, such as the kinds of lesion in idrib."""
    path: str = ""
    """The file; without it, SET_PIXELS.npz in one of PLACES below the data root."""
    classes: tuple[str, ...] | None = None
    """Names of the classes, background first; without it those of the set, or background and foreground."""

    @field_validator("classes")
    @classmethod
    def _two_or_more(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if classes is not None and not 2 <= len(classes) <= 256:
            raise ValueError(f"{len(classes)} in the list, and there can be 2 to 256, background first")
        return classes

    @model_validator(mode="after")
    def _names_a_set_or_a_file(self) -> "Options":
        if self.set and self.set not in SETS:
            raise ValueError(str(unknown("set of MedSegBench", self.set, SETS)))
        if not (self.set or self.path):
            raise ValueError(f"name a set, as in set: busi, or give a file's path (sets: {', '.join(SETS)})")
        return self


class Part(NamedTuple):
    """One side of the file."""

    images: str
    labels: str
    cases: int
    channels: int


class MedSegBench:
    """One of 35 public sets of medical images in a common format, by its name, or one's own file of that format."""

    dims = 2
    shares = (0.7, 0.1, 0.2)

    def __init__(self, root: Path, /, **options: Any) -> None:
        self._root = root
        self._options = checked("data set 'medsegbench'", Options, options)

    @property
    def about(self) -> About:
        """The set's licence and source, and where its file is fetched from; only the name of one's own file."""
        options, facts = self._options, SETS.get(self._options.set)
        if not facts:
            return About(title=Path(options.path).name, licence="not stated", citation="", url="")
        record = f"https://zenodo.org/records/{facts.record}"
        return About(
            title=f"MedSegBench, {options.set}, {options.pixels} x {options.pixels} pixels",
            licence=facts.licence,
            citation="Kuş and Aydin. MedSegBench: A comprehensive benchmark for medical image segmentation in diverse "
            f"data modalities. Scientific Data 11 (2024), doi 10.1038/s41597-024-04159-2; images from {facts.source}",
            url=record,
            downloads=(Download(f"{record}/files/{self._name}", PLACES[-1], md5=facts.md5[str(options.pixels)]),),
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """As the study names them, else as the set does."""
        facts = SETS.get(self._options.set)
        return self._options.classes or (facts.classes if facts else Facts.model_fields["classes"].default)

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for colour.

        Raises RequestError as ``cases`` does.
        """
        return next(iter(self._parts.values())).channels

    def cases(self) -> tuple[Case, ...]:
        """Every image, by side and number.

        Raises RequestError where the file is missing or damaged, holds no side, or images and labels do not match.
        """
        return tuple(
            Case(f"{name}-{number:05d}", f"{name}-{number:05d}", SIDES[name])
            for name, part in self._parts.items()
            for number in range(part.cases)
        )

    def read(self, case: Case) -> Sample:
        """One image and its classes.

        Raises RequestError that names the file: damaged, a label that is no class, no room to unpack it.
        """
        name, _, number = case.id.partition("-")
        part = self._parts[name]
        image, labels = (item(self._path, one, int(number)) for one in (part.images, part.labels))
        mask = labels != 0 if self._is_numbered else labels
        strange = [value for value in (mask.min(), mask.max()) if not 0 <= value < len(self.classes)]
        if strange:
            classes = f"{len(self.classes)} classes: {', '.join(self.classes)}"
            raise RequestError(f"'{self._path}' has the label {strange[0]} in {case.id}, and there are {classes}")
        return Sample(image if image.ndim == 3 else image[..., None], mask.astype(np.uint8))

    def fingerprint(self) -> Any:
        """Set, category and classes, and place, size and time of the file."""
        state, options = self._path.stat(), self._options
        file = [str(self._path.resolve()), state.st_size, state.st_mtime_ns]
        said = {"set": options.set, "category": options.category, "classes": list(self.classes)}
        return {"reader": 1, "file": file, **said}

    @property
    def _is_numbered(self) -> bool:
        return self._options.set in SETS and SETS[self._options.set].numbered

    @property
    def _name(self) -> str:
        return f"{self._options.set}_{self._options.pixels}.npz"

    @cached_property
    def _path(self) -> Path:
        looked = places(self._root, self._options.path, [str(Path(place, self._name)) for place in PLACES])
        source = f"; it is at {self.about.url}" if self.about.url else ""
        return place_of("medsegbench", looked, Path.is_file, f"is a file{source}")

    @cached_property
    def _parts(self) -> dict[str, Part]:
        found = headers(self._path)
        parts = {name: part for name in SIDES if (part := _part(self._path, found, name, self._options.category))}
        if not parts:
            needed = "train_images, train_label and so on for val and test"
            raise RequestError(f"'{self._path}' holds no {needed}, but {', '.join(found) or 'no array at all'}")
        if len({part.channels for part in parts.values()}) > 1:
            raise RequestError(f"'{self._path}' holds grey images and images in colour")
        return parts


def _part(path: Path, found: dict[str, Header], side: str, category: str) -> Part | None:
    """Arrays of one side, which match; None where there are none."""
    end = f"_{category}" if category else ""
    # The parts of idrib are four labels of the same images.
    images = f"{side}_images{end}" if f"{side}_images{end}" in found else f"{side}_images"
    labels = f"{side}_label{end}"
    missing = [name for name in (images, labels) if name not in found]
    if len(missing) == 2:
        return None
    if missing:
        raise RequestError(f"'{path}' has no {missing[0]}; it has {', '.join(found)}")
    problem = _problem(found[images], found[labels])
    if problem:
        raise RequestError(f"{images} and {labels} of '{path}' {problem}")
    shape = found[images].shape
    return Part(images, labels, shape[0], shape[3] if len(shape) == 4 else 1)


def _problem(images: Header, labels: Header) -> str:
    """What is wrong with a pair of arrays; empty where nothing is."""
    grey, colour = len(images.shape) == 3, len(images.shape) == 4 and images.shape[3] in (1, 3)
    if not (grey or colour) or images.shape[:3] != labels.shape:
        return f"do not match: their shapes are {images.shape} and {labels.shape}"
    if 0 in images.shape:
        return f"hold no pixel: their shape is {images.shape}"
    if images.dtype.kind not in "uif" or labels.dtype.kind not in "bui":
        return f"are no images and classes: their types are {images.dtype} and {labels.dtype}"
    return ""
