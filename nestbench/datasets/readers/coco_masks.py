"""From COCO's segmentations to pixels: polygons, and run lengths as numbers and as text."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from nestbench.datasets.readers.coco_json import RunLengths

Places = NDArray[np.int64]
Polygons = Sequence[Sequence[float]]

MARGIN = 1.0
"""Pixels by which a point may lie beyond the image: tools that trace a border by its pixels' far edges do so."""


def places_of(segmentation: RunLengths | Polygons, height: int, width: int) -> Places:
    """Flat positions in an image (H, W) of the pixels that a segmentation covers, ascending; there may be none.

    Raises ValueError that says what is wrong with it.
    """
    if isinstance(segmentation, RunLengths):
        return _of_runs(segmentation, height, width)
    if not segmentation:
        raise ValueError("has no segmentation, only a box")
    return np.unique(np.concatenate([_of_polygon(polygon, height, width) for polygon in segmentation]))


def _of_polygon(polygon: Sequence[float], height: int, width: int) -> Places:
    if len(polygon) < 6 or len(polygon) % 2:
        raise ValueError(f"has a polygon of {len(polygon)} numbers: it needs x and y of three points at least")
    points = np.asarray(polygon).reshape(-1, 2)
    beyond = ((points < -MARGIN) | (points > np.array([width, height]) + MARGIN)).any(axis=1)
    if beyond.any():
        x, y = points[beyond][0]
        raise ValueError(f"has a polygon outside the image, which is {width} x {height} pixels: ({x:g}, {y:g})")
    inside = points.clip(0, [width, height])
    text = coco.frPyObjects([inside.ravel().tolist()], height, width)[0]["counts"]
    return _positions(lengths(text.decode("ascii")), height, width)


def _of_runs(runs: RunLengths, height: int, width: int) -> Places:
    if runs.size != (height, width):
        raise ValueError(f"has run lengths of {runs.size[1]} x {runs.size[0]} pixels, its image {width} x {height}")
    counts = lengths(runs.counts) if isinstance(runs.counts, str) else runs.counts
    if min(counts, default=0) < 0 or sum(counts) != height * width:
        raise ValueError(f"has run lengths that cover {sum(counts):,} pixels, its image has {height * width:,}")
    return _positions(counts, height, width)


def lengths(text: str) -> list[int]:
    """Run lengths of COCO's text: of each 5 bits a character, and from the third on its difference to the last but one.

    Raises ValueError for a character that is none of these. (COCO's own code reads past the end of such a text.)
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"has run lengths with the character {character!r}")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        value -= (1 << shift) if bits & 16 else 0
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("has run lengths that break off")
    return counts


def _positions(counts: Sequence[int], height: int, width: int) -> Places:
    """Flat positions, row after row, of every second run; runs go down the columns."""
    ends = np.cumsum(np.asarray(counts, np.int64))
    starts, sizes = ends[:-1:2], np.asarray(counts[1::2], np.int64)
    down = np.repeat(starts - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())
    x, y = np.divmod(down, height)
    positions: Places = np.sort(y * width + x)
    return positions
