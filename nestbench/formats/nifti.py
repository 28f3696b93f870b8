"""NIfTI files as volumes, with the traps of their headers."""

import logging
import math
from pathlib import Path
from typing import Any, NamedTuple

import nibabel
import numpy as np
from numpy.typing import NDArray

from nestbench.errors import RequestError
from nestbench.formats.geometry import UNPLACED, Affine, Volume, reversed_axes
from nestbench.formats.pictures import Pixels, check_size

SUFFIXES = (".nii.gz", ".nii")

_WIDE = 512
"""Pixels a side of a slice as a CT gives it; one that was resampled to 1 mm is smaller, and then 1 mm is right."""

_MILLIMETRES = {"meter": 1e3, "micron": 1e-3}

# A damaged file is reported once, in our own sentence.
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)


class Nifti(NamedTuple):
    """A NIfTI of which the header alone is read."""

    image: Any
    shape: tuple[int, int, int, int]
    """(X, Y, Z, C), whatever axes of 1 the file leaves out or adds."""


def open_nifti(path: Path) -> Nifti:
    """Read the header.

    Raises RequestError for more than 4 axes and for too many voxels, nibabel's own errors for a damaged header.
    """
    image: Any = nibabel.load(path, mmap=False)
    width, height, depth, *others = (*image.shape, 1, 1)[: max(len(image.shape), 3)]
    if sum(axis != 1 for axis in others) > 1:
        raise RequestError(f"'{path}' has {len(image.shape)} axes, and 2 to 4 can be read")
    check_size(path, width * height * depth * math.prod(others), math.prod(others))
    return Nifti(image, (width, height, depth, math.prod(others)))


def read_nifti(path: Path) -> Volume:
    """Read a NIfTI, of which D is the third axis; where it has lost its place it is not placed and keeps its spacing.

    Raises as ``open_nifti``, and nibabel's own errors for damaged values.
    """
    image, shape = open_nifti(path)
    values = np.transpose(_values(image).reshape(shape), (2, 1, 0, 3))
    placed = _is_placed(image, shape)
    affine = reversed_axes(image.affine) if placed else UNPLACED * _steps(image.header)
    affine[:3] *= _MILLIMETRES.get(image.header.get_xyzt_units()[0], 1)
    return Volume(values if shape[3] > 1 else values[..., 0], affine, path, placed)


def encoded(mask: Pixels, grid: Volume) -> bytes:
    """A NIfTI file of class indices (D, H, W) on a grid: with its source's axes and units where that is a NIfTI too."""
    values = np.ascontiguousarray(stored_axes(mask, grid))
    content: bytes = (_like if _is_nifti(grid.source) else _placed)(values, grid).to_bytes()
    return content


def stored_axes(values: NDArray[Any], grid: Volume) -> NDArray[Any]:
    """Values (..., D, H, W) with a NIfTI's axes: (..., X, Y, Z), or (..., X, Y) where the grid's source has two."""
    turned = np.swapaxes(values, -3, -1)
    plane = _is_nifti(grid.source) and len(open_nifti(grid.source).image.shape) == 2
    return turned[..., 0] if plane else turned


def _like(values: NDArray[np.uint8], grid: Volume) -> Any:
    source = open_nifti(grid.source).image
    header = source.header.copy()
    header.set_data_dtype(np.uint8)
    header.set_slope_inter(1, 0)
    header["cal_min"] = header["cal_max"] = 0  # the range that a viewer would show the source in
    return type(source)(values, source.affine, header)


def _placed(values: NDArray[np.uint8], grid: Volume) -> Any:
    image: Any = nibabel.Nifti1Image(values, reversed_axes(grid.affine))
    image.header["sform_code"] = 1  # millimetres of the scanner, not of another image
    image.header.set_xyzt_units("mm")
    return image


def _is_nifti(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES) and not path.is_dir()


def _is_placed(image: Any, shape: tuple[int, ...]) -> bool:
    """Whether a file says where it lies: by a form code, and not by an identity that its size contradicts.

    Some volumes of LiTS have such an identity, which makes each step 1 mm, though no scanner gives slices of half a
    metre.
    """
    coded = image.header["qform_code"] > 0 or image.header["sform_code"] > 0
    identity = np.array_equal(np.abs(image.affine), np.eye(4))
    return bool(coded and not (identity and shape[:2] == (_WIDE, _WIDE)))


def _values(image: Any) -> NDArray[Any]:
    proxy = image.dataobj
    # Scaled values would become float64, twice what scanners' numbers need.
    kind = None if (proxy.slope, proxy.inter) == (1, 0) else np.float32
    return np.asanyarray(proxy, dtype=kind)


def _steps(header: Any) -> Affine:
    """(4,): the steps along D, H and W, and 1; a step that is not above 0 is 1."""
    steps = np.array([*header["pixdim"][3:0:-1], 1], np.float64)
    return np.where(np.isfinite(steps) & (steps > 0), steps, 1)
