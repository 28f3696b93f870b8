"""A data set for nestbench: fields of discs on slides, each field drawn from a file that lists its discs.

data/discs/SLIDE_FIELD.csv     y, x and radius of each disc, in micrometres
"""

import csv
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from nestbench.datasets.contract import About, Case, Sample
from nestbench.errors import RequestError
from nestbench.formats.listing import files, stamps
from nestbench.study.sentences import checked
from nestbench.study.words import Frozen

SIDE = 48
"""Pixels a side of a field."""

STEP = 0.002
"""Millimetres from one pixel to the next."""


class Options(Frozen):
    """Keys of a study beside the data set's name."""

    noise: int = 20
    """Standard deviation of the noise, of 255."""


class Discs:
    """Discs, which are told apart, on a noisy ground; fields of one slide are of one subject."""

    about = About(title="Discs", licence="CC0-1.0", citation="", url="", obtain="It comes with nestbench's example.")
    classes = ("background", "disc")
    channels = 1
    dims = 2
    shares = (0.5, 0.25, 0.25)

    def __init__(self, root: Path, /, **options: Any) -> None:
        self._folder = root / "discs"
        self._noise = checked("data set 'discs'", Options, options).noise

    def cases(self) -> tuple[Case, ...]:
        """Every field, by name; what stands before the first underscore is the slide."""
        if not self._folder.is_dir():
            raise RequestError(f"data set 'discs' is not there: '{self._folder}' is no folder")
        names = [path.stem for path in files(self._folder, (".csv",))]
        if not names:
            raise RequestError(f"'{self._folder}' is empty: it should hold a .csv for each field")
        return tuple(Case(name, name.partition("_")[0]) for name in names)

    def read(self, case: Case) -> Sample:
        """Draw one field: a pixel belongs to the last disc that covers it."""
        instances = np.zeros((SIDE, SIDE), np.int32)
        rows, columns = np.indices(instances.shape) * STEP * 1000
        for number, (y, x, radius) in enumerate(_listed(self._folder / f"{case.id}.csv"), start=1):
            instances[np.hypot(rows - y, columns - x) <= radius] = number
        mask = (instances > 0).astype(np.uint8)
        # A function of the case alone: a case reads the same each time, and from any thread.
        noise = np.random.default_rng(crc32(case.id.encode())).normal(0, self._noise, mask.shape)
        image = (80 + 80 * mask + noise).clip(0, 255).astype(np.uint8)
        return Sample(image[..., None], mask, instances, (STEP, STEP))

    def fingerprint(self) -> Any:
        """The noise, and name, size and time of each file."""
        return {"reader": 1, "noise": self._noise, "files": stamps(self._folder)}


def _listed(path: Path) -> list[tuple[float, float, float]]:
    """Discs of a field, as y, x and radius."""
    try:
        with path.open(newline="") as file:
            return [(float(row["y"]), float(row["x"]), float(row["radius"])) for row in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise RequestError(f"cannot read '{path}': each line should hold y, x and radius ({error})") from error
