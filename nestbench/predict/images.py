"""Images and volumes as files: what they hold, their pixels, and their masks in the same format.

A volume is (D, H, W, C) here: a TIFF's pages, and the slices along the last axis of a NIfTI, are its D.
"""

import gzip
import math
from pathlib import Path
from typing import Any, NamedTuple

import nibabel
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from nestbench.datasets import pictures
from nestbench.datasets.contract import Pixels
from nestbench.errors import RequestError
from nestbench.results.atomic import replacing

NIFTI = (".nii.gz", ".nii")
TIFF = (".tif", ".tiff")
SUFFIXES = (*pictures.SUFFIXES, *NIFTI)


class Holds(NamedTuple):
    """What a file's header says it holds."""

    volume: bool
    channels: int


def suffix(path: Path) -> str:
    """The suffix that tells the format, in lower case; empty where it is none that is read."""
    return next((s for s in NIFTI if path.name.lower().endswith(s)), None) or (
        path.suffix.lower() if path.suffix.lower() in pictures.SUFFIXES else ""
    )


def look(path: Path) -> Holds | None:
    """What a file holds, by its header; None where that cannot be read: ``read`` says why."""
    try:
        if suffix(path) in NIFTI:
            shape = _nifti(path).shape
            return Holds(volume=len(shape) > 2, channels=shape[3] if len(shape) == 4 else 1)
        return Holds(_pages(path) > 1, 1 if pictures.is_grey(path) else 3)
    except Exception:  # a decoder may raise anything on a damaged file
        return None


def read(path: Path, channels: int) -> Pixels:
    """Read an image (H, W, channels) or a volume (D, H, W, channels) as uint8, as training's pictures are read.

    8-bit values stay as they are; others are scaled by percentiles of the whole image or volume. Grey becomes equal
    channels where several are asked for. Raises RequestError that names the file.
    """
    with pictures.naming(path):
        if suffix(path) in NIFTI:
            pixels = _bytes(_slices(path), path)
        elif _pages(path) > 1:
            pixels = _bytes(_stack(path), path)
        else:
            return pictures.read_image(path, channels)
    return np.repeat(pixels, channels, axis=-1) if pixels.shape[-1] == 1 else pixels


def write_mask(mask: NDArray[np.uint8], path: Path, source: Path) -> None:
    """Write class indices, (H, W) or (D, H, W), in the format of ``path``, whole or not at all.

    A NIfTI gets the affine, axes and units of ``source``.
    """
    with replacing(path) as beside:
        if suffix(path) in NIFTI:
            content = _like(_nifti(source), mask).to_bytes()
            beside.write_bytes(gzip.compress(content, mtime=0) if suffix(path) == ".nii.gz" else content)
        elif suffix(path) in TIFF:
            tifffile.imwrite(beside, mask, photometric="minisblack", compression="zlib")
        else:
            Image.fromarray(mask).save(beside, format="PNG")


def write_probabilities(probability: NDArray[np.float32], path: Path, source: Path) -> None:
    """Write probabilities (K, ...) as npy, whole or not at all; the axes behind K are those of the mask's file."""
    with replacing(path) as beside, beside.open("wb") as file:
        np.save(file, _axes_of(_nifti(source), probability) if suffix(source) in NIFTI else probability)


def _nifti(path: Path) -> Any:
    return nibabel.load(path)


def _pages(path: Path) -> int:
    """Pages of a TIFF; 1 for any other picture."""
    if suffix(path) not in TIFF:
        return 1
    with tifffile.TiffFile(path) as file:
        return len(file.pages)


def _slices(path: Path) -> NDArray[Any]:
    """A NIfTI's values (X, Y), (X, Y, Z) or (X, Y, Z, C) as (Z, X, Y, C)."""
    image = _nifti(path)
    if not 2 <= len(image.shape) <= 4:
        raise RequestError(f"'{path}' has {len(image.shape)} axes, and 2 to 4 can be read")
    pictures.check_size(path, math.prod(image.shape))
    values = np.asanyarray(image.dataobj)
    return np.moveaxis(values.reshape(*values.shape, *(1,) * (4 - values.ndim)), 2, 0)


def _stack(path: Path) -> NDArray[Any]:
    """A TIFF's pages as (D, H, W, C)."""
    with tifffile.TiffFile(path) as file:
        axes = [series.axes.rstrip("S") for series in file.series]
        if len(axes) > 1 or len(axes[0]) != 3 or axes[0].startswith("C"):
            raise RequestError(f"'{path}' holds pages that are no stack of slices (its axes are {', '.join(axes)})")
        pictures.check_size(path, file.series[0].size, file.series[0].keyframe.samplesperpixel)
        values = np.asarray(file.series[0].asarray())
    return values[..., None] if values.ndim == 3 else values[..., : 1 if values.shape[-1] < 3 else 3]


def _bytes(values: NDArray[Any], path: Path) -> Pixels:
    return values if values.dtype == np.uint8 else pictures.scaled(values, path)


def _axes_of(image: Any, values: NDArray[Any]) -> NDArray[Any]:
    """Bring (..., Z, X, Y) back to the axes of a NIfTI, (..., X, Y, Z) or (..., X, Y)."""
    return np.moveaxis(values, -3, -1) if len(image.shape) > 2 else values[..., 0, :, :]


def _like(image: Any, mask: NDArray[np.uint8]) -> Any:
    header = image.header.copy()
    header.set_data_dtype(np.uint8)
    header.set_slope_inter(1, 0)
    header["cal_min"] = header["cal_max"] = 0  # the range that a viewer would show the source in
    return type(image)(np.ascontiguousarray(_axes_of(image, mask)), image.affine, header)
