"""Voxels on which the readers of a scan agree, for each nodule that is there."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import binary_fill_holes

from nestbench.datasets.readers.lidc_xml import Nodule, Outline, Report

Voxel = tuple[str, int, int]
"""SOPInstanceUID of the slice, row, column."""

Voxels = frozenset[Voxel]


class Mark(NamedTuple):
    """What one reader drew of one nodule."""

    reader: int
    voxels: Voxels


def consensus(report: Report, agree: int) -> tuple[Voxels, ...]:
    """What at least ``agree`` readers marked of each nodule, in the order in which the file comes to them.

    Marks that share a voxel are of one nodule, and so are marks that both share voxels with a third. Nothing is left
    of a nodule on no voxel of which so many agree.
    """
    marks = [Mark(reader, marked(nodule)) for reader, one in enumerate(report.readings) for nodule in one.nodules]
    return tuple(_agreed(group, agree) for group in _overlapping(marks))


def marked(nodule: Nodule) -> Voxels:
    """The voxels of a nodule as one reader drew it: inside of its outlines and of no hole."""
    inside = {voxel for outline in nodule.outlines if not outline.hole for voxel in _voxels(outline)}
    return frozenset(inside.difference(*(_voxels(outline) for outline in nodule.outlines if outline.hole)))


def region(outline: Outline) -> NDArray[np.int64]:
    """(N, 2): rows and columns that an outline adds to the nodule, or, around a hole, takes away from it.

    The pixels of the line itself are no part of the nodule. A line that is not closed is closed by a straight one.
    """
    points: NDArray[np.int64] = np.array([*outline.points, outline.points[0]])
    corner: NDArray[np.int64] = points.min(axis=0)
    picture = Image.new("L", (points.max(axis=0) - corner + 1).tolist())
    ImageDraw.Draw(picture).line((points - corner).ravel().tolist(), fill=1)
    line = np.asarray(picture) > 0
    filled: NDArray[np.bool_] = binary_fill_holes(line)
    inside = np.argwhere(filled if outline.hole else filled & ~line)
    return inside + corner[::-1]


def _voxels(outline: Outline) -> Iterable[Voxel]:
    return [(outline.sop_uid, row, column) for row, column in region(outline).tolist()]


def _overlapping(marks: Sequence[Mark]) -> list[list[Mark]]:
    groups: list[list[int]] = []
    for new, mark in enumerate(marks):
        touched = [group for group in groups if any(not mark.voxels.isdisjoint(marks[old].voxels) for old in group)]
        apart = [group for group in groups if group not in touched]
        groups = [*apart, [*chain.from_iterable(touched), new]]
    return [[marks[index] for index in group] for group in sorted(groups, key=min)]


def _agreed(group: list[Mark], agree: int) -> Voxels:
    """Voxels that at least so many readers marked; two marks of one reader are one vote."""
    votes = Counter(voxel for voxel, _ in {(voxel, mark.reader) for mark in group for voxel in mark.voxels})
    return frozenset(voxel for voxel, count in votes.items() if count >= agree)
