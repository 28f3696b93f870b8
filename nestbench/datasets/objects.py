"""The objects of a case and their sizes: nuclei, nodules, tumours, one row each."""

from functools import cache
from itertools import product
from math import pi

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import SphericalVoronoi

from nestbench.datasets.contract import Labels
from nestbench.formats.pictures import Pixels

COLUMNS = ("class", "object", "pixels", "diameter", "diameter_mm", "boundary", "boundary_mm", "touches_border")
"""Index of the class; number of the object; pixels or voxels; diameter of the circle or ball of the same area or
volume, in pixels and in millimetres; length of the contour, or area of the surface of a volume's object, in pixels and
in millimetres (squared for a volume); whether a pixel lies on the image's border. Millimetres are nan where the spacing
is not known."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Spacing = tuple[float, ...]

Objects = tuple[Labels, Ints, Ints]
"""Labels of the mask's shape, 1 to N, and the N objects' numbers and classes."""


def measure(mask: Pixels, instances: Labels | None = None, spacing: Spacing | None = None) -> pd.DataFrame:
    """Measure each object of a mask (H, W) or (D, H, W): a table of ``COLUMNS``, in the order of the objects' numbers.

    Objects are the instances, whose class is that of most of their pixels; without instances, the connected parts of
    each class, pixels that share a corner being connected. What lies beyond the image counts as not the object, so a
    contour runs along the border too. It is measured by Crofton's formula, from how often lines of pixels in 4
    directions, in a volume 13, enter and leave the object.
    """
    labels, numbers, classes = _parts(mask) if instances is None else _given(mask, instances)
    pixels = np.bincount(labels.ravel(), minlength=len(numbers) + 1)[1:]
    crossings = _crossings(labels, len(numbers))
    unit, known = (1.0,) * mask.ndim, spacing or (np.nan,) * mask.ndim
    columns = (
        classes,
        numbers,
        pixels,
        *(_diameter(pixels, each) for each in (unit, known)),
        *(crossings @ _weights(each) for each in (unit, known)),
        _touching(labels, len(numbers)),
    )
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def _given(mask: Pixels, instances: Labels) -> Objects:
    """Labels from 1 on without gaps, with each one's number among the instances and its class."""
    where = np.flatnonzero(instances)
    numbers, rank = np.unique(instances.ravel()[where], return_inverse=True)
    labels = np.zeros(instances.shape, np.int32)
    labels.ravel()[where] = rank + 1
    values = int(mask.max(initial=0)) + 1
    votes = np.bincount(rank * values + mask.ravel()[where], minlength=len(numbers) * values)
    return labels, numbers.astype(np.int64), votes.reshape(-1, values).argmax(axis=1)


def _parts(mask: Pixels) -> Objects:
    """Labels of the connected parts of each class, from 1 on, which is their number, and their classes."""
    labels = np.zeros(mask.shape, np.int32)
    classes: list[int] = []
    for value in np.flatnonzero(np.bincount(mask.ravel())[1:]) + 1:
        parts, count = ndimage.label(mask == value, np.ones((3,) * mask.ndim))
        labels = np.where(parts > 0, parts + len(classes), labels)
        classes += [int(value)] * count
    return labels, np.arange(1, len(classes) + 1), np.array(classes, np.int64)


def _diameter(pixels: Ints, spacing: Spacing) -> Floats:
    size = pixels * np.prod(spacing)
    diameter: Floats = 2 * np.sqrt(size / pi) if len(spacing) == 2 else 2 * np.cbrt(size * 3 / (4 * pi))
    return diameter


def _touching(labels: Labels, count: int) -> NDArray[np.bool_]:
    ends = [labels.take(end, axis).ravel() for axis in range(labels.ndim) for end in (0, -1)]
    return np.bincount(np.concatenate(ends), minlength=count + 1)[1:] > 0


def _crossings(labels: Labels, count: int) -> Floats:
    """How often lines of pixels cross the contour of each object, by direction: (count, directions)."""
    found = ndimage.find_objects((labels > 0).astype(np.int8))
    padded = np.pad(labels[found[0]] if found else labels, 1)
    counts = []
    for step in _directions(labels.ndim):
        here = padded[tuple(slice(max(0, -s), n - max(0, s)) for s, n in zip(step, padded.shape, strict=True))]
        there = padded[tuple(slice(max(0, s), n - max(0, -s)) for s, n in zip(step, padded.shape, strict=True))]
        edges = here != there
        counts.append(sum(np.bincount(side[edges], minlength=count + 1)[1:] for side in (here, there)))
    return np.array(counts, np.float64).T


def _directions(dims: int) -> list[tuple[int, ...]]:
    """Steps to the neighbours of a pixel, one of each pair of opposite ones: 4, or 13 in a volume."""
    return [step for step in product((-1, 0, 1), repeat=dims) if step > (0,) * dims]


@cache
def _weights(spacing: Spacing) -> Floats:
    """What one crossing in each direction adds to the contour's length, or to the surface's area.

    Crofton's formula: pi times the mean over all directions of the entries per line, over the distance of the lines;
    in a volume 4 times, over the area per line. A direction stands for all to which it is the nearest.
    """
    if np.isnan(spacing).any():
        return np.full(len(_directions(len(spacing))), np.nan)
    vectors = np.array(_directions(len(spacing))) * spacing
    lengths = np.linalg.norm(vectors, axis=1)
    factor = pi if len(spacing) == 2 else 4
    weights: Floats = factor * _shares(vectors / lengths[:, None]) * np.prod(spacing) / lengths / 2
    return weights


def _shares(units: Floats) -> Floats:
    """Share of all directions to which each unit vector (N, dims), or its opposite, is the nearest."""
    if units.shape[1] == 3:
        areas: Floats = SphericalVoronoi(np.concatenate([units, -units])).calculate_areas()
        return areas[: len(units)] / (2 * pi)
    angles = np.arctan2(units[:, 0], units[:, 1]) % pi
    order = np.argsort(angles)
    gaps = np.diff(angles[order], append=angles[order[0]] + pi)
    shares = np.empty(len(units))
    shares[order] = (gaps + np.roll(gaps, 1)) / (2 * pi)
    return shares
