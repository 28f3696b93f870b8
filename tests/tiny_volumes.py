"""Small volumes and files of them, each format written by its own library."""

from pathlib import Path

import nibabel
import numpy as np
import SimpleITK
from numpy.typing import NDArray

from nestbench.formats.geometry import Affine, Volume

SHAPE = (4, 6, 8)

SPL: Affine = np.array([[0, 0, -2, 30], [0, -1.5, 0, 40], [3, 0, 0, -50], [0, 0, 0, 1]], np.float64)
"""Canonical: 3 mm along D, 1.5 along H, 2 along W."""


def volume(values: NDArray[np.generic], affine: Affine = SPL, *, placed: bool = True) -> Volume:
    return Volume(values, affine, Path("tiny.nii"), placed)


def ramp(shape: tuple[int, ...] = SHAPE, kind: type = np.int16) -> NDArray[np.generic]:
    """Every voxel another number."""
    return np.arange(np.prod(shape)).reshape(shape).astype(kind)


def turned(values: NDArray[np.generic], affine: Affine, order: tuple[int, ...], flips: tuple[bool, ...]):
    """The same voxels stored with axes in another order, some of them backwards, and the affine of that."""
    to_old = np.zeros((4, 4))
    to_old[3, 3] = 1
    for new, (old, flip) in enumerate(zip(order, flips, strict=True)):
        to_old[old, new] = -1 if flip else 1
        to_old[old, 3] = values.shape[old] - 1 if flip else 0
    steps = tuple(slice(None, None, -1 if flip else 1) for flip in flips)
    return values.transpose(*order, *range(3, values.ndim))[steps], affine @ to_old


def save_nifti(path: Path, values: NDArray[np.generic], affine: Affine | None = SPL) -> Path:
    """Write (D, H, W) or (D, H, W, C) with the affine of (d, h, w); without one both form codes are 0."""
    path.parent.mkdir(parents=True, exist_ok=True)
    by_x = None if affine is None else affine[:, [2, 1, 0, 3]]
    nibabel.save(nibabel.Nifti1Image(np.moveaxis(values, (0, 1, 2), (2, 1, 0)), by_x), path)
    return path


def save_itk(path: Path, values: NDArray[np.generic], spacing: tuple[float, ...] = (2, 1.5, 3), **how: bool) -> Path:
    """Write (D, H, W) with ITK in its own axes: x to the left, y to the back; the spacing is of x, y and z."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing(spacing)
    SimpleITK.WriteImage(image, path, **how)
    return path


def cut(path: Path, share: float = 0.6) -> Path:
    """Leave the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path
