"""NRRD and MetaImage files as volumes."""

import math
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import SimpleITK

from nestbench.errors import RequestError
from nestbench.formats.geometry import UNPLACED, Affine, Volume, reversed_axes
from nestbench.formats.pictures import Pixels, check_size

SUFFIXES = (".nrrd", ".mha", ".mhd")

_BYTES = {"CHAR": 1, "SHORT": 2, "INT": 4, "LONG": 4, "LONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}
"""Of a value of each of MetaImage's types; unsigned ones have a U before their name."""

_LONGEST = 2**16
"""Bytes of the longest header that is looked through."""

_LEFT_BACK = np.diag([-1.0, -1, 1, 1])
"""ITK counts x to the left and y to the back."""

SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)


def open_metaimage(path: Path) -> Any:
    """An ITK reader that has read the header alone.

    Raises RequestError for a damaged header, more than 3 axes and too many voxels.
    """
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    _run(reader.ReadImageInformation, path)
    if reader.GetDimension() not in (2, 3):
        raise RequestError(f"'{path}' has {reader.GetDimension()} axes, and 2 or 3 can be read")
    channels = reader.GetNumberOfComponents()
    check_size(path, math.prod(reader.GetSize()) * channels, channels)
    return reader


def read_metaimage(path: Path) -> Volume:
    """Read a volume, of which D is the third axis; a NRRD without a space is not placed and keeps its spacing.

    Raises as ``open_metaimage``, and RequestError for damaged values.
    """
    reader = open_metaimage(path)
    _check_length(path)
    image = _run(reader.Execute, path)
    values = SimpleITK.GetArrayFromImage(image)
    values = values if image.GetDimension() == 3 else values[None]
    placed = path.suffix.lower() != ".nrrd" or "NRRD_space" in reader.GetMetaDataKeys()
    if placed:
        return Volume(values, reversed_axes(_LEFT_BACK @ _affine(image)), path)
    steps = np.linalg.norm(_affine(image)[:, [2, 1, 0, 3]], axis=0)
    return Volume(values, UNPLACED * [*steps[:3], 1], path, placed=False)


def encoded(mask: Pixels, source: Path, suffix: str) -> bytes:
    """A file (NRRD or, in one file, MetaImage) of class indices (D, H, W), where the volume in ``source`` lies.

    Raises as ``open_metaimage``.
    """
    like = open_metaimage(source)
    image = SimpleITK.GetImageFromArray(mask if like.GetDimension() == 3 else mask[0])
    image.SetSpacing(like.GetSpacing())
    image.SetOrigin(like.GetOrigin())
    image.SetDirection(like.GetDirection())
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"mask{suffix}"  # the writer knows the format by the suffix alone
        SimpleITK.WriteImage(image, path, useCompression=True)
        return path.read_bytes()


def _check_length(path: Path) -> None:
    """Refuse a MetaImage that is cut off, of which ITK would print lines of its own."""
    with path.open("rb") as file:
        head, found, after = file.read(_LONGEST).partition(b"ElementDataFile")
    if path.suffix.lower() == ".nrrd" or not found:
        return
    said = dict(re.findall(r"^(\w+) *= *(.*?) *$", head.decode("latin-1"), re.MULTILINE))
    name, end, _ = after.partition(b"\n")
    data = path.parent / name.decode("latin-1").strip(" =\r")
    if data.name.upper() == "LOCAL":
        held: float = path.stat().st_size - len(head) - len(found) - len(name) - len(end)
    else:
        held = data.stat().st_size if data.is_file() else math.inf
    if held < _needed(said):
        raise RequestError(f"cannot read '{path}': it is damaged, or no volume")


def _needed(said: dict[str, str]) -> int:
    """Bytes of values by a MetaImage's header; 0 where it does not say."""
    if said.get("CompressedData", "").lower() == "true":
        return int(said.get("CompressedDataSize", 0))
    size = _BYTES.get(said.get("ElementType", "").removeprefix("MET_").removeprefix("U"), 0)
    return size * math.prod(map(int, said.get("DimSize", "0").split())) * int(said.get("ElementNumberOfChannels", 1))


def _affine(image: Any) -> Affine:
    """(4, 4), from index (x, y, z, 1) to millimetres in ITK's axes."""
    axes = image.GetDimension()
    affine = np.eye(4)
    affine[:axes, :axes] = np.reshape(image.GetDirection(), (axes, axes)) * image.GetSpacing()
    affine[:axes, 3] = image.GetOrigin()
    return affine


def _run(step: Any, path: Path) -> Any:
    try:
        return step()
    except RuntimeError as error:
        # ITK's own words name places in its source.
        raise RequestError(f"cannot read '{path}': it is damaged, or no volume") from error
