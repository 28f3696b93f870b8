"""TIFF files of one page or many as volumes; what they say of their place is not read."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from nestbench.errors import RequestError
from nestbench.formats.geometry import UNPLACED, Volume
from nestbench.formats.pictures import check_size

SUFFIXES = (".tif", ".tiff")


def pages(path: Path) -> int:
    """Pages of a TIFF.

    Raises RequestError where some are lost; tifffile's own errors for damage.
    """
    with tifffile.TiffFile(path) as file:
        _check_end(file, path)
        return len(file.pages)


def read_stack(path: Path) -> Volume:
    """Read a TIFF of which each page is a slice, (D, H, W) or in colour (D, H, W, 3).

    Raises RequestError for pages that are no slices, too many voxels and lost pages; tifffile's own errors for damage.
    """
    with tifffile.TiffFile(path) as file:
        axes = ", ".join(series.axes for series in file.series)
        if "," in axes or axes.startswith("C") or len(axes.rstrip("S")) not in (2, 3):
            raise RequestError(f"'{path}' holds pages that are no stack of slices (its axes are {axes})")
        check_size(path, file.series[0].size, file.series[0].keyframe.samplesperpixel)
        _check_end(file, path)
        values = np.asarray(file.series[0].asarray())
    return Volume(_slices(values, colour=axes.endswith("S")), UNPLACED, path, placed=False)


def _slices(values: NDArray[Any], *, colour: bool) -> NDArray[Any]:
    """(D, H, W) or (D, H, W, 3) of one page or many; transparency is dropped."""
    stack = values if values.ndim == 3 + colour else values[None]
    if not colour:
        return stack
    return stack[..., 0] if stack.shape[-1] < 3 else stack[..., :3]


def _check_end(file: tifffile.TiffFile, path: Path) -> None:
    """Raise RequestError where the last page names a next one that is not there: tifffile leaves out what is lost."""
    end = len(file.pages) and file.pages.next_page_offset
    file.filehandle.seek(end or 0)
    if not end or file.filehandle.read(file.tiff.offsetsize).strip(b"\0"):
        raise RequestError(f"cannot read '{path}': it breaks off after page {len(file.pages)}")
