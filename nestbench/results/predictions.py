"""The masks that one run found, a file of them: cases of any size, written and read one at a time.

predictions.npz     cases   ids, in the order in which they were written
                    0, 1 .. uint8 (D, H, W), the class of each pixel of each case; D is 1 for a picture. Where objects
                            are told apart int32, the number of the object, the surest of those that overlap
"""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestbench.results.atomic import replacing

Masks = NDArray[np.uint8] | NDArray[np.int32]

NAME = "predictions.npz"


@contextmanager
def writing_predictions(folder: Path) -> Iterator[Callable[[str, Masks], None]]:
    """A function that adds one case's mask to the file; the file appears whole, or not at all."""
    cases: list[str] = []
    with replacing(folder / NAME) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:

        def write(case: str, mask: Masks) -> None:
            _add(archive, str(len(cases)), mask)
            cases.append(case)

        yield write
        _add(archive, "cases", np.array(cases))


def read_predictions(path: Path, cases: Sequence[str]) -> list[Masks]:
    """The masks of these cases, and of no other, from a file of predictions."""
    with np.load(path) as file:
        place = {str(case): str(index) for index, case in enumerate(file["cases"])}
        return [file[place[case]] for case in cases]


def _add(archive: zipfile.ZipFile, name: str, values: NDArray[Any]) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, values, allow_pickle=False)
