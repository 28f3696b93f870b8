"""The objects that were found in one picture, which may overlap."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int32]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float32]
Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Detected:
    """Objects of one picture, the surest first. Of each only its own pixels are held: 1,500 masks would fill memory."""

    shape: tuple[int, int]
    """(H, W) of the picture."""
    pixels: tuple[Places, ...]
    """Flat positions of each object's pixels, ascending: at least one."""
    scores: Floats
    """(n,), 0 to 1, descending."""

    def __len__(self) -> int:
        return len(self.pixels)

    @cached_property
    def areas(self) -> Places:
        """Pixels of each object."""
        return np.array([len(own) for own in self.pixels], np.int64)

    @property
    def masks(self) -> Flags:
        """(n, H, W), one object each."""
        masks = np.zeros((len(self), self.shape[0] * self.shape[1]), np.bool_)
        for mask, own in zip(masks, self.pixels, strict=True):
            mask[own] = True
        return masks.reshape(len(self), *self.shape)

    @property
    def labels(self) -> Labels:
        """(H, W), 1 to n: the number of the surest object that each pixel belongs to, 0 where there is none."""
        labels = np.zeros(self.shape, np.int32)
        for number in range(len(self), 0, -1):
            labels.ravel()[self.pixels[number - 1]] = number
        return labels


def from_masks(masks: NDArray[Any], scores: Sequence[float] | NDArray[Any]) -> Detected:
    """Objects of masks (n, H, W), of bool, and their scores (n,), in any order; an empty mask is no object."""
    _, height, width = masks.shape
    pixels = [np.flatnonzero(mask) for mask in masks]
    return from_pixels((height, width), pixels, scores)


def from_labels(labels: NDArray[np.integer[Any]], scores: Sequence[float] | NDArray[Any]) -> Detected:
    """Objects of a label map (H, W), and their scores in the order of their numbers."""
    places = np.flatnonzero(labels)
    numbers = labels.ravel()[places]
    order = np.argsort(numbers, kind="stable")
    ends = np.flatnonzero(np.diff(numbers[order])) + 1
    pixels = np.split(places[order], ends) if len(places) else []
    height, width = labels.shape
    return from_pixels((height, width), pixels, scores)


def from_pixels(shape: tuple[int, int], pixels: Sequence[Places], scores: Sequence[float] | NDArray[Any]) -> Detected:
    """Objects of a picture (H, W): the ascending flat positions of each one's pixels, and their scores, in any order.

    One without pixels is no object. Raises ValueError where objects and scores are not as many.
    """
    if len(pixels) != len(scores):
        raise ValueError(f"{len(pixels)} objects and {len(scores)} scores")
    sureness = np.asarray(scores, np.float32)
    order = [i for i in np.argsort(-sureness, kind="stable") if len(pixels[i])]
    return Detected(shape, tuple(pixels[i] for i in order), sureness[order])


def without_small(found: Detected, smallest: int) -> Detected:
    """The objects of at least so many pixels."""
    kept = np.flatnonzero(found.areas >= smallest)
    return Detected(found.shape, tuple(found.pixels[i] for i in kept), found.scores[kept])
