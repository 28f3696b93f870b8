"""Images and volumes as files: their pixels as training saw them, and their masks in the same format and place.

A volume is read by ``formats.volumes`` and turned to canonical axes (``formats.geometry``), as the readers of data sets
do; its mask is turned back. A folder of a DICOM series is one volume.
"""

import gzip
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from nibabel import orientations
from numpy.typing import NDArray
from PIL import Image

from nestbench.datasets.intensity import to_bytes
from nestbench.datasets.resize import Space, resampled
from nestbench.errors import RequestError
from nestbench.formats import metaimage, nifti, pictures, stacks, volumes
from nestbench.formats.geometry import ORIENTATION, Volume, canonical, stacked
from nestbench.formats.pictures import Pixels
from nestbench.model.files import UNSAID, Use
from nestbench.results.atomic import replacing

SUFFIXES = tuple(dict.fromkeys((*pictures.SUFFIXES, *volumes.SUFFIXES)))


@dataclass(frozen=True, eq=False)
class Taken:
    """An image as a network takes it, before it is resized."""

    pixels: Pixels
    """(H, W, C), or (D, H, W, C) along canonical axes."""
    grid: Volume | None
    """The file's own grid, with zeros that take no memory for values; None for a picture, which has no place."""

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Millimetres between neighbours along each axis of the pixels; None where the file gives none."""
        return None if self.grid is None else canonical(self.grid).spacing


def suffix(path: Path) -> str:
    """The suffix that tells the format, in lower case; empty where it is none that is read."""
    found = volumes.suffix(path)
    return found if found in SUFFIXES else ""


def take(path: Path, channels: int, about: Use = UNSAID, others: Sequence[Path] = ()) -> Taken:
    """Read a picture or a volume and bring it to 8 bits as training did: by the window or the percentiles it had.

    ``others`` are the files of its further channels. Grey becomes equal channels where several are asked for. Raises
    RequestError that names the file, or two that do not lie on one another.
    """
    volume = None if _is_picture(path) else stacked([volumes.read_volume(one) for one in (path, *others)])
    if volume is None:
        values = pictures.read_channels((path, *others))
    else:
        turned = canonical(volume).values
        values = turned if turned.ndim == 4 else turned[..., None]
    pixels = to_bytes(values, about.window, about.percentiles, f"'{path}'")
    grid = None if volume is None else replace(volume, values=np.broadcast_to(np.uint8(0), volume.shape))
    return Taken(np.repeat(pixels, channels, axis=-1) if pixels.shape[-1] == 1 else np.ascontiguousarray(pixels), grid)


def space_of(taken: Taken, path: Path, about: Use, dims: int) -> Space:
    """Pixels along each axis that training would have brought an image to, for a network of ``dims`` dimensions.

    Raises RequestError that names the file: no spacing where training had one, or too many pixels.
    """
    space = taken.pixels.shape[:-1]
    if about.spacing is not None:
        space = resampled(space, taken.spacing, about.spacing, f"'{path}'")
    if about.size is not None:
        space = (*space[:-dims], *(about.size,) * dims)
    if space != taken.pixels.shape[:-1] and math.prod(space) > pictures.MOST_PIXELS:
        raise RequestError(
            f"'{path}' would become {' x '.join(map(str, space))} pixels, brought to the size that training had: "
            f"at most {pictures.MOST_PIXELS:,} can be taken"
        )
    return space


def write_mask(mask: NDArray[np.unsignedinteger[Any]], path: Path, grid: Volume | None) -> None:
    """Write classes or numbers of objects, (H, W), or (D, H, W) along canonical axes, in the format of ``path``.

    Whole or not at all. They are turned to the grid's own axes; a file that can say where it lies, says that it lies
    there.
    """
    own = mask if grid is None else _turned_back(mask, grid)
    with replacing(path) as beside:
        if grid is not None and suffix(path) in nifti.SUFFIXES:
            content = nifti.encoded(own, grid)
            beside.write_bytes(gzip.compress(content, mtime=0) if suffix(path) == ".nii.gz" else content)
        elif grid is not None and suffix(path) in metaimage.SUFFIXES:
            beside.write_bytes(metaimage.encoded(own, grid.source, suffix(path)))
        elif suffix(path) in stacks.SUFFIXES:
            tifffile.imwrite(beside, np.ascontiguousarray(own), photometric="minisblack", compression="zlib")
        else:
            Image.fromarray(own).save(beside, format="PNG")


def write_probabilities(probability: NDArray[np.float32], path: Path, grid: Volume | None, mask: Path) -> None:
    """Write probabilities (K, ...) as npy, whole or not at all; the axes behind K are those of the mask's file.

    For a NIfTI these are (X, Y, Z), for any other volume (D, H, W).
    """
    own = probability
    if grid is not None:
        own = np.moveaxis(_turned_back(np.moveaxis(probability, 0, -1), grid), -1, 0)
        own = nifti.stored_axes(own, grid) if suffix(mask) in nifti.SUFFIXES else own
    with replacing(path) as beside, beside.open("wb") as file:
        np.save(file, own)


def _is_picture(path: Path) -> bool:
    """Whether a file holds one plane without a place: a TIFF of one page is a picture, a TIFF of many a volume."""
    if path.is_dir() or suffix(path) not in pictures.SUFFIXES:
        return False
    with pictures.naming(path):
        return suffix(path) not in stacks.SUFFIXES or stacks.pages(path) < 2


def _turned_back(values: NDArray[Any], grid: Volume) -> NDArray[Any]:
    """Values (D, H, W, ...) along canonical axes as the grid's own, without a copy.

    The exact way back of ``canonical``, even where axes lie halfway between two directions.
    """
    axes = orientations.axcodes2ornt(ORIENTATION), orientations.io_orientation(grid.affine)
    found: NDArray[Any] = orientations.apply_orientation(values, orientations.ornt_transform(*axes))
    return found
