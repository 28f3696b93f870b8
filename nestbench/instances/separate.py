"""From a probability of the foreground to objects: a semantic network as an instance segmenter."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.feature import peak_local_max
from skimage.measure import label
from skimage.segmentation import watershed

from nestbench.instances.count import score
from nestbench.instances.detected import Detected, Flags, Labels, from_labels, without_small

Probability = NDArray[np.floating[Any]]
Method = Literal["components", "watershed"]

METHODS: tuple[Method, ...] = ("components", "watershed")

_CORNERS = 2
"""Pixels that share a corner are connected, as in the tables of objects (``datasets.objects``)."""


@dataclass(frozen=True)
class Separation:
    """How objects are told apart in a foreground probability."""

    # Without this a file of weights that says strange things of a way (``instances.ways``) would mean all defaults.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    method: Method = "components"
    """``components``: connected pixels are an object. ``watershed``: each hill of the distance to the background is."""
    threshold: float = 0.5
    """Probability from which a pixel is foreground."""
    smallest: int = 1
    """Pixels of the smallest object that is kept."""
    smooth: float = 1.0
    """Standard deviation in pixels by which the distance is smoothed, for the watershed."""
    apart: int = 4
    """Pixels that the tops of two hills are apart at least, along the longer axis, for the watershed."""


THRESHOLDS = (0.3, 0.5, 0.7)
SMALLEST = (1, 5, 10, 20)
SMOOTH = (1.0, 2.0)
APART = (2, 4, 8)


def segment(probability: Probability, how: Separation) -> Detected:
    """Objects of a foreground probability (H, W); the score of each is its mean probability."""
    foreground = probability >= how.threshold
    labels = label(foreground, connectivity=_CORNERS) if how.method == "components" else _hills(foreground, how)
    return without_small(_scored(labels, probability), how.smallest)


def candidates(method: Method) -> list[Separation]:
    """Every separation by a method that ``choose`` tries."""
    shapes = product(SMOOTH, APART) if method == "watershed" else [(Separation.smooth, Separation.apart)]
    every = product(THRESHOLDS, shapes, SMALLEST)
    return [Separation(method, threshold, smallest, *shape) for threshold, shape, smallest in every]


def choose(cases: Iterable[tuple[Probability, Labels]], separations: Sequence[Separation]) -> Separation:
    """The separation of the highest mean Score (``results.instance_scores``) on these cases, the first of equals.

    They are probabilities and true objects of the validation side; no other side may have a say.
    """
    totals = np.zeros(len(separations))
    for probability, truth in cases:
        totals += [score(truth, found) for found in _segmented(probability, separations)]
    return separations[int(np.argmax(totals))]


def _segmented(probability: Probability, separations: Sequence[Separation]) -> Iterator[Detected]:
    """``segment`` by each; neighbours that differ in their smallest object alone are separated once."""
    for how, alike in groupby(separations, key=lambda one: replace(one, smallest=1)):
        found = segment(probability, how)
        yield from (without_small(found, one.smallest) for one in alike)


def _hills(foreground: Flags, how: Separation) -> Labels:
    """Watershed of the smoothed distance to the background, from its highest points."""
    # Beyond the image is background too: an object that is cut off has its hill inside.
    distance = gaussian_filter(distance_transform_edt(np.pad(foreground, 1))[1:-1, 1:-1], how.smooth)
    tops = np.zeros(foreground.shape, np.bool_)
    tops[tuple(peak_local_max(distance, min_distance=how.apart, exclude_border=False).T)] = True
    tops &= foreground
    # One whose hill is too near a higher one is an object all the same, where it touches no other.
    whole = label(foreground, connectivity=_CORNERS)
    bare = (np.bincount(whole[tops], minlength=whole.max() + 1) == 0)[whole] & foreground
    markers = label(tops | bare, connectivity=_CORNERS)
    parts: Labels = watershed(-distance, markers, mask=foreground, connectivity=_CORNERS)
    return parts


def _scored(labels: Labels, probability: Probability) -> Detected:
    sizes = np.bincount(labels.ravel())
    totals = np.bincount(labels.ravel(), weights=probability.ravel().astype(np.float64))
    there = np.flatnonzero(sizes[1:]) + 1
    return from_labels(labels, totals[there] / sizes[there])
