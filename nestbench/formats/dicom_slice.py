"""What one DICOM file says of the slice in it, without its pixels.

Source: DICOM PS3.3, C.7.6.2 (image plane).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.misc import is_dicom

from nestbench.errors import RequestError
from nestbench.formats.pictures import naming

SUFFIXES = (".dcm", ".dicom", ".ima")

_SLICES = (None, "CT", "MR", "PT")
"""Modalities of files that must be slices; a file that is cut off early does not even have one."""

_TAGS = (
    "Modality",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "NumberOfFrames",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "Rows",
    "Columns",
    "InstanceNumber",
    "ImagesInAcquisition",
    "NumberOfSlices",
)


@dataclass(frozen=True, eq=False)
class Slice:
    """What one file says of its slice, without the pixels; lengths in mm, axes as in DICOM (left, back, head)."""

    path: Path
    uid: str
    """SOPInstanceUID."""
    series: str
    """SeriesInstanceUID."""
    shape: tuple[int, int]
    """(H, W)."""
    spacing: tuple[float, float]
    """Along H and W."""
    thickness: float
    """1 where it is not said."""
    origin: NDArray[np.float64]
    """(3,): the centre of the first pixel."""
    axes: NDArray[np.float64]
    """(2, 3): unit vectors along W and along H."""
    number: int | None
    """InstanceNumber, which mostly counts from 1; None where it is not said."""
    of: int
    """How many slices there must be, by ImagesInAcquisition or NumberOfSlices; 0 where it is not said."""

    @property
    def place(self) -> float:
        """Position along the normal: where slices are axial, millimetres towards the head."""
        return float(np.cross(*self.axes) @ self.origin)


def may_be_slice(path: Path) -> bool:
    """Whether a file is DICOM, by its name or by the mark in it, and not the index of a disk."""
    return path.name != "DICOMDIR" and (path.suffix.lower() in SUFFIXES or is_dicom(path))


def read_header(path: Path) -> Slice | None:
    """Read what a file says of its slice; None where it is none: no DICOM, a report, outlines, a segmentation.

    Raises RequestError that names the file: empty, damaged, cut off, several frames.
    """
    with naming(path):
        if not path.stat().st_size:
            raise RequestError(f"cannot read '{path}': it is empty")
        if not may_be_slice(path):
            return None
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
        return None if _is_other(header) else _slice(header, path)


def _is_other(header: Dataset) -> bool:
    """Whether a file is of a kind that has no place of its own in the body."""
    return "ImagePositionPatient" not in header and header.get("Modality") not in _SLICES


def _slice(header: Dataset, path: Path) -> Slice:
    frames = int(header.get("NumberOfFrames") or 1)
    if frames > 1:
        raise RequestError(f"'{path}' holds {frames} frames, and only files of one slice are read")
    height, width = (_numbers(header, key, 1, path)[0] for key in ("Rows", "Columns"))
    along_h, along_w = _numbers(header, "PixelSpacing", 2, path)
    axes = _numbers(header, "ImageOrientationPatient", 6, path).reshape(2, 3)
    if along_h <= 0 or along_w <= 0 or not np.allclose(axes @ axes.T, np.eye(2), atol=1e-3):
        raise RequestError(f"cannot read '{path}': its spacing or its directions are not those of a grid")
    return Slice(
        path,
        uid=str(header.get("SOPInstanceUID", "")),
        series=str(header.get("SeriesInstanceUID", "")),
        shape=(int(height), int(width)),
        spacing=(float(along_h), float(along_w)),
        thickness=float(header.get("SliceThickness") or 1),
        origin=_numbers(header, "ImagePositionPatient", 3, path),
        axes=axes,
        number=None if header.get("InstanceNumber") is None else int(header.InstanceNumber),
        of=max(int(header.get(key) or 0) for key in ("ImagesInAcquisition", "NumberOfSlices")),
    )


def _numbers(header: Dataset, key: str, count: int, path: Path) -> NDArray[np.float64]:
    values = np.atleast_1d(np.array(header.get(key, ()), np.float64))
    if values.shape != (count,) or not np.isfinite(values).all():
        raise RequestError(f"cannot read '{path}': its header is cut off or damaged, for it gives no {key}")
    return values
