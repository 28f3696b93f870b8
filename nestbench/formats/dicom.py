"""A series of DICOM slices in a folder as one volume, in its own units (Hounsfield units where it is a CT).

Slices are ordered by where they lie in the body (ImagePositionPatient along the normal of ImageOrientationPatient): the
order of names and of InstanceNumber need not be that of the body.

Sources: DICOM PS3.3, C.7.6.2 (image plane) and C.11.1 (rescale slope and intercept, which GDCM applies).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from nestbench.errors import RequestError
from nestbench.formats.dicom_slice import Slice, read_header
from nestbench.formats.geometry import Affine, Volume
from nestbench.formats.pictures import check_size, naming

_LOG = logging.getLogger(__name__)

Numbers = Sequence[float] | NDArray[np.float64]

_SAME = 1e-4
"""Millimetres, or parts of a unit vector, that make no difference."""

_UNEVEN = 0.1
"""Share of a step between slices by which steps may differ: scanners round positions."""

_RAS = np.diag([-1.0, -1.0, 1.0])
"""From the axes of DICOM (left, back, head) to those of a Volume (right, front, head)."""


@dataclass(frozen=True, eq=False)
class Series:
    """Slices that make one volume, in the order of their places."""

    folder: Path
    slices: tuple[Slice, ...]
    affine: Affine
    """(4, 4), as in ``geometry.Volume``."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(D, H, W)."""
        return len(self.slices), *self.slices[0].shape

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres along D, H and W."""
        depth, height, width = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return depth, height, width


def read_series(folder: Path, series_uid: str = "") -> Volume:
    """Read the one series of a folder, or that of the given SeriesInstanceUID.

    Values (D, H, W) are int16 where that is exact, else float32.

    Raises RequestError as ``find_series`` and ``pixels`` do.
    """
    series = find_series(folder, series_uid)
    return Volume(pixels(series.slices), series.affine, folder)


def find_series(folder: Path, series_uid: str = "") -> Series:
    """Read the headers of a series; files that are no slices (reports, outlines, segmentations, XML) are passed over.

    Raises RequestError that names folder and file, or position: no slices, several series of which none is asked for,
    a damaged header, slices of another size, spacing or direction, two at one place, and a missing one: between others,
    or at an end where the headers say how many there must be. Where only the numbers of slices hint at that, for they
    begin above 1, it is logged as a warning: it may be part of a series that was cut on purpose.
    """
    slices = [found for path in _files(folder) if (found := read_header(path))]
    chosen = _of_one_series(folder, slices, series_uid)
    for other in chosen[1:]:
        _check_alike(chosen[0], other)
    chosen.sort(key=lambda one: one.place)
    check_size(folder, len(chosen) * int(np.prod(chosen[0].shape)))
    affine = _affine(chosen[0], _step(folder, chosen))
    _check_ends(folder, chosen)
    return Series(folder, tuple(chosen), affine)


def pixels(slices: Sequence[Slice]) -> NDArray[Any]:
    """Read the values (D, H, W) of slices: int16 where that is exact, else float32.

    Raises RequestError that names the file.
    """
    return np.stack([_decoded(one) for one in slices])


def _decoded(one: Slice) -> NDArray[Any]:
    try:
        # One decoder for all transfer syntaxes, JPEG 2000 among them, which applies slope and intercept.
        values: NDArray[Any] = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(one.path), imageIO="GDCMImageIO"))
    except RuntimeError as error:
        raise RequestError(
            f"cannot read '{one.path}': its pixels are cut off, damaged or of no known coding"
        ) from error
    if values.shape != (1, *one.shape):
        raise RequestError(f"'{one.path}' is no slice of one grey value a pixel: its values are {values.shape}")
    exact: NDArray[Any] = np.clip(values[0], -(2**15), 2**15 - 1).astype(np.int16)
    return exact if (exact == values[0]).all() else values[0].astype(np.float32)


def _files(folder: Path) -> list[Path]:
    with naming(folder):
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _of_one_series(folder: Path, slices: list[Slice], series_uid: str) -> list[Slice]:
    chosen = [one for one in slices if series_uid in ("", one.series)]
    found = sorted({one.series or "one without a UID" for one in slices})
    if not slices:
        raise RequestError(f"'{folder}' holds no slices of a DICOM series")
    if not chosen:
        raise RequestError(f"'{folder}' does not hold the DICOM series {series_uid}, but {', '.join(found)}")
    if not series_uid and len(found) > 1:
        raise RequestError(f"'{folder}' holds {len(found)} DICOM series ({', '.join(found)}): keep one in a folder")
    return chosen


def _check_alike(first: Slice, other: Slice) -> None:
    pairs: dict[str, tuple[Numbers, Numbers]] = {
        "size": (first.shape, other.shape),
        "spacing": (first.spacing, other.spacing),
        "direction": (first.axes.ravel(), other.axes.ravel()),
    }
    for what, (ours, theirs) in pairs.items():
        if not np.allclose(ours, theirs, rtol=0, atol=_SAME):
            raise RequestError(
                f"'{other.path}' has another {what} than '{first.path.name}' of its series: "
                f"{_listed(theirs)}, not {_listed(ours)}"
            )


def _step(folder: Path, slices: list[Slice]) -> NDArray[np.float64]:
    """(3,): from one slice to the next, which must be the same everywhere, in length and in direction."""
    if len(slices) == 1:
        return np.cross(*slices[0].axes) * slices[0].thickness
    for below, above in pairwise(slices):
        if above.place - below.place < _SAME:
            names = f"'{below.path.name}' and '{above.path.name}'"
            raise RequestError(f"'{folder}' holds two slices at {below.place:g} mm, {names}")
    steps = np.diff([one.origin for one in slices], axis=0)
    usual: NDArray[np.float64] = np.round(np.median(steps, axis=0), 6)
    for (below, above), step in zip(pairwise(slices), steps, strict=True):
        _check_step(f"between those at {below.place:g} and {above.place:g} mm in '{folder}'", step, usual)
    return usual


def _check_step(where: str, step: NDArray[np.float64], usual: NDArray[np.float64]) -> None:
    length = np.linalg.norm(usual)
    if np.linalg.norm(step - usual) > _UNEVEN * length:
        wrong = "a slice is missing" if np.linalg.norm(step) > 1.5 * length else "the step is another one"
        raise RequestError(f"slices are {length:g} mm apart, but {wrong} {where}")


def _check_ends(folder: Path, slices: list[Slice]) -> None:
    """Hold the slices that are there against what their headers say of their number."""
    said, numbers = max(one.of for one in slices), [one.number for one in slices if one.number is not None]
    # Numbers beyond are those of several acquisitions or reconstructions, of which the headers count one.
    if said > len(slices) and max(numbers, default=0) <= said:
        raise RequestError(
            f"'{folder}' holds {len(slices)} slices, and by their headers there are {said}: {said - len(slices)} of "
            "them are missing at an end"
        )
    if said != len(slices) and min(numbers, default=1) > 1:
        _LOG.warning(
            "'%s' begins with slice number %d: unless it was cut on purpose, slices are missing", folder, min(numbers)
        )


def _affine(first: Slice, step: NDArray[np.float64]) -> Affine:
    """(4, 4), from index (d, h, w, 1) to millimetres in RAS+."""
    along_w, along_h = first.axes
    columns = [step, along_h * first.spacing[0], along_w * first.spacing[1], first.origin]
    affine = np.eye(4)
    affine[:3] = _RAS @ np.stack(columns, axis=1)
    return affine


def _listed(numbers: Numbers) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
