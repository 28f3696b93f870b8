"""Files of volumes as arrays with their place: NIfTI, NRRD, MetaImage, TIFF stacks, folders of a DICOM series.

A volume is (D, H, W) or (D, H, W, C) here: a TIFF's pages, and the slices along the third axis of the others, are D.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nestbench.errors import RequestError
from nestbench.formats import metaimage, nifti, pictures, stacks
from nestbench.formats.dicom import read_series
from nestbench.formats.dicom_slice import may_be_slice
from nestbench.formats.geometry import Volume
from nestbench.formats.listing import files

SUFFIXES = (*nifti.SUFFIXES, *metaimage.SUFFIXES, *stacks.SUFFIXES)

_READ = (
    (nifti.SUFFIXES, nifti.read_nifti),
    (metaimage.SUFFIXES, metaimage.read_metaimage),
    (stacks.SUFFIXES, stacks.read_stack),
)


class Holds(NamedTuple):
    """What the header of a file says it holds."""

    volume: bool
    channels: int


def suffix(path: Path) -> str:
    """The suffix in lower case, ``.nii.gz`` as one."""
    return ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()


def stem(path: Path) -> str:
    """The name without its suffix; all of a folder's name."""
    return path.name if path.is_dir() else path.name[: len(path.name) - len(suffix(path))]


def by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, list[Path]]:
    """Files directly below that end in one of the suffixes, by their names without it.

    Raises RequestError where the folder cannot be read.
    """
    found: dict[str, list[Path]] = {}
    for path in files(folder, (*suffixes, ".gz")):
        if suffix(path) in suffixes:
            found.setdefault(stem(path), []).append(path)
    return found


def is_series(path: Path) -> bool:
    """Whether a path is a folder that holds DICOM files, by their names or by the mark in them.

    Raises RequestError where the folder cannot be read.
    """
    if not path.is_dir():
        return False
    with pictures.naming(path):
        found = (p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
        return any(map(may_be_slice, found))


def look(path: Path) -> Holds | None:
    """What a picture, a volume or a folder of a series holds, by its header.

    None where that cannot be read: reading says why.
    """
    try:
        if path.is_dir():
            return Holds(volume=True, channels=1)
        if suffix(path) in nifti.SUFFIXES:
            return Holds(volume=True, channels=nifti.open_nifti(path).shape[3])
        if suffix(path) in metaimage.SUFFIXES:
            return Holds(volume=True, channels=metaimage.open_metaimage(path).GetNumberOfComponents())
        many = suffix(path) in stacks.SUFFIXES and stacks.pages(path) > 1
        return Holds(volume=many, channels=1 if pictures.is_grey(path) else 3)
    except Exception:  # a decoder may raise anything on a damaged file
        return None


def read_volume(path: Path) -> Volume:
    """Read a volume as it is stored, (D, H, W) or (D, H, W, C), any type of number; nothing is turned.

    Where a file does not say where it lies it is not ``placed``; its spacing is what the file says, if anything.

    Raises RequestError that names the file: damaged, too large, no volume, an affine that is no place.
    """
    with pictures.naming(path):
        path.stat()
        if path.is_dir():
            return read_series(path)
        for suffixes, read in _READ:
            if suffix(path) in suffixes:
                return _checked(read(path))
    raise RequestError(f"'{path}' is no volume: {', '.join(SUFFIXES)} and folders of a DICOM series are read")


def _checked(volume: Volume) -> Volume:
    """The volume in numbers of this machine's byte order.

    Raises RequestError for other values, for no values and for an affine that is no place.
    """
    values = volume.values
    if values.dtype.kind not in "biuf":
        raise RequestError(f"'{volume.source}' holds values of type {values.dtype}, and plain numbers can be read")
    if 0 in values.shape:
        raise RequestError(f"'{volume.source}' is empty: its size is {' x '.join(map(str, values.shape))}")
    if not np.isfinite(volume.affine).all() or not np.linalg.det(volume.affine):
        raise RequestError(f"the affine in '{volume.source}' gives its voxels no place: {volume.affine[:3].tolist()}")
    kind = np.dtype(np.uint8) if values.dtype.kind == "b" else values.dtype.newbyteorder("=")
    return replace(volume, values=values.astype(kind, copy=False))
