"""The masks that one run found, a file of them: cases of any size, written and read one at a time.

predictions.npz     cases   ids, in the order in which they were written
                    0, 1 .. uint8 (D, H, W), the class of each pixel of each case; D is 1 for a picture. Where objects
                            are told apart int32, the number of the object, the surest of those that overlap
                    L1/0 .. the same by each output but the one that the network is judged by; files of older runs, and
                            those of networks with one head, have none
"""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nestbench.results.atomic import replacing

Masks = NDArray[np.uint8] | NDArray[np.int32]

NAME = "predictions.npz"

_NONE: Mapping[str, Masks] = MappingProxyType({})


class Write(Protocol):
    """Adds one case's mask, and those of the outputs that the network is not judged by."""

    def __call__(self, case: str, mask: Masks, others: Mapping[str, Masks] = _NONE) -> None:
        """``others`` is by output."""


@contextmanager
def writing_predictions(folder: Path) -> Iterator[Write]:
    """A function that adds one case's masks to the file; the file appears whole, or not at all."""
    cases: list[str] = []
    with replacing(folder / NAME) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:

        def write(case: str, mask: Masks, others: Mapping[str, Masks] = _NONE) -> None:
            _add(archive, str(len(cases)), mask)
            for output, own in others.items():
                _add(archive, f"{output}/{len(cases)}", own)
            cases.append(case)

        yield write
        _add(archive, "cases", np.array(cases))


def read_predictions(path: Path, cases: Sequence[str]) -> list[Masks]:
    """The masks of these cases, and of no other, from a file of predictions."""
    with np.load(path) as file:
        return [file[name] for name in _places(file, cases)]


def read_every(path: Path, cases: Sequence[str]) -> dict[str, list[Masks]]:
    """The masks of these cases by each output, the one that the network is judged by under ``''``, which comes last.

    That is all where no other was kept.
    """
    with np.load(path) as file:
        own = _places(file, cases)
        outputs = dict.fromkeys(output for output, within, _ in (name.partition("/") for name in file.files) if within)
        others = {output: [file[f"{output}/{name}"] for name in own] for output in outputs}
        return others | {"": [file[name] for name in own]}


def _places(file: Any, cases: Sequence[str]) -> list[str]:
    place = {str(case): str(index) for index, case in enumerate(file["cases"])}
    return [place[case] for case in cases]


def _add(archive: zipfile.ZipFile, name: str, values: NDArray[Any]) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, values, allow_pickle=False)
