"""A data set made ready once: every case in 8 bits and at the study's size, in files that are mapped into memory.

    <cache>/<name>-<key>/
        images.bin      uint8 (D, H, W, C) of one case after the other; D is 1 for a picture
        masks.bin       uint8 (D, H, W), index of the class
        instances.bin   int32 (D, H, W), 0 = background; where the data set tells objects apart
        objects.parquet every object of every case, with its size
        index.json      everything else, and size and time of the files

One that was touched since it was written is none: ``datasets.preparing`` builds it again.
"""

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from nestbench.datasets.contract import About, Case, Labels
from nestbench.datasets.resize import Space
from nestbench.datasets.source import Read, stored
from nestbench.datasets.splits import Split
from nestbench.datasets.twins import Twins
from nestbench.errors import RequestError
from nestbench.formats.listing import stamps
from nestbench.formats.pictures import Pixels
from nestbench.study.data import DatasetSpec

OBJECTS = "objects.parquet"

Truth = Literal["masks", "instances"]
"""What a network learns of an image: the class of each pixel, or the object that it belongs to."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """Every case of a data set, in 8 bits. Cases are told by their position."""

    folder: Path
    """Where the files lie: ``reopen`` finds them again, in another process too."""
    key: str
    """Fingerprint of what the files were made from on this machine: files, times, options, size."""
    content: str
    """SHA-256 of contents, ids and subjects: the same on every machine that has the same data."""
    about: About
    classes: tuple[str, ...]
    channels: int
    marks: tuple[str, ...]
    """What the name of each channel's file holds; empty where one file holds them all (``contract.Dataset``)."""
    dims: int
    """2 for pictures, 3 for volumes."""
    shares: tuple[float, float, float]
    """Shares of the cases for training, validation and test where a study says nothing."""
    cases: tuple[Case, ...]
    spaces: tuple[Space, ...]
    """(D, H, W) of each case; D is 1 for a picture."""
    moments: tuple[tuple[float, float], ...]
    """Mean and standard deviation by which a network sees each case."""
    spacings: tuple[tuple[float, ...] | None, ...]
    """Millimetres along each axis of each case, where they are known."""
    has_instances: bool

    def image(self, position: int) -> Pixels:
        """(D, H, W, C), mapped read-only for as long as it is held: what was looked at does not stay in memory."""
        image: Pixels = self._mapped("images", position, np.uint8, (self.channels,))
        return image

    def mask(self, position: int) -> Pixels:
        """(D, H, W), index of the class, mapped read-only."""
        mask: Pixels = self._mapped("masks", position, np.uint8)
        return mask

    def instances(self, position: int) -> Labels | None:
        """(D, H, W), a number for each object, mapped read-only; None where objects are not told apart."""
        return self._mapped("instances", position, np.int32) if self.has_instances else None

    def objects(self) -> pd.DataFrame:
        """Every object of every case, a row each: ``case``, ``subject`` and the columns of ``datasets.objects``."""
        return pd.read_parquet(self.folder / OBJECTS)

    def _mapped(self, name: str, position: int, kind: type, inner: tuple[int, ...] = ()) -> Any:
        before, unit = self._starts[position], np.dtype(kind).itemsize * math.prod(inner)
        shape = (*self.spaces[position], *inner)
        return np.memmap(self.folder / f"{name}.bin", kind, "r", before * unit, shape)

    def source(self, name: Literal["images"] | Truth, positions: Sequence[int]) -> Read:
        """Read the images, masks or instances of these positions window by window."""
        channels = self.channels if name == "images" else None
        kind = np.int32 if name == "instances" else np.uint8
        unit = np.dtype(kind).itemsize * (channels or 1)
        starts, spaces = [unit * self._starts[i] for i in positions], [self.spaces[i] for i in positions]
        return stored(self.folder / f"{name}.bin", starts, spaces, channels, kind)

    @cached_property
    def _starts(self) -> list[int]:
        """Pixels before each case."""
        return [0, *itertools.accumulate(math.prod(space) for space in self.spaces)]


def reopen(folder: Path) -> Prepared:
    """Find the files of ``Prepared.folder`` again, without a look at the source they were made from.

    Raises RequestError where they are not as they were written.
    """
    found = opened(folder)
    if found is None:
        raise RequestError(f"the prepared data in '{folder}' are gone or damaged: start the study again")
    return found


def describe(prepared: Prepared, spec: DatasetSpec, split: Split, twins: Twins) -> dict[str, Any]:
    """What a study's results say of a data set, as JSON data: origin, classes, sizes, the split by case, its twins."""
    sides = {side: [prepared.cases[i].id for i in positions] for side, positions in asdict(split).items()}
    about = asdict(prepared.about)
    return {
        "name": spec.title,
        **{key: about[key] for key in ("title", "licence", "citation", "url")},
        "classes": list(prepared.classes),
        "channels": prepared.channels,
        "dims": spec.dims or prepared.dims,
        "volumes": prepared.dims == 3,
        "size": spec.side,
        "patch": spec.patch,
        "spacing": spec.spacing,
        "window": spec.window,
        "subjects": len({case.subject for case in prepared.cases}),
        "counts": {side: len(ids) for side, ids in sides.items()},
        "split": sides,
        "twins": [asdict(twin) for twin in twins.found],
        "not_compared": twins.passed_over,
        "content": prepared.content,
    }


def opened(folder: Path) -> Prepared | None:
    """The prepared arrays, or None where the folder is missing, half or not as it was written."""
    try:
        return _read(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(folder: Path) -> Prepared:
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    written = [tuple(stamp) for stamp in index["files"]]
    if written != [stamp for stamp in stamps(folder) if stamp[0] != "index.json"]:
        raise ValueError(f"'{folder}' is not as it was written")
    about = index["about"] | {"downloads": ()}
    return Prepared(
        folder=folder,
        key=index["key"],
        content=index["content"],
        about=About(**about),
        classes=tuple(index["classes"]),
        channels=index["channels"],
        marks=tuple(index["marks"]),
        dims=index["dims"],
        shares=tuple(index["shares"]),
        cases=tuple(Case(*case) for case in index["cases"]),
        spaces=tuple(tuple(space) for space in index["spaces"]),
        moments=tuple((mean, deviation) for mean, deviation in index["moments"]),
        spacings=tuple(spacing and tuple(spacing) for spacing in index["spacings"]),
        has_instances=(folder / "instances.bin").is_file(),
    )
