"""What is left of an image when it is looked for among others, and how alike two images are.

A sketch holds differences from the local mean in units of the local spread: neither brightness nor gain changes it, and
what all images of a set have in common (a cell in the middle, a skull around the brain) counts little in it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter1d

from nestbench.formats.pictures import Pixels

Floats = NDArray[np.float32]
Planes = TypeVar("Planes", Floats, NDArray[np.float16])

SMALL, LARGE = 16, 64
"""Pixels a side of the two sizes of a sketch."""

# None is the middle, which an even depth does not have: a volume upside down has the same planes.
_DEPTHS = (0.2, 0.4, 0.6, 0.8)
# Shares of a side: what is smoothed away is below a pixel of the small sketch, what is local about two of them.
_BLUR, _AROUND = 0.6, 0.1
# Of the spread of the whole: where an image is even, its noise is not blown up.
_FLOOR = 0.25
# The outermost pixels are not compared: frames, seams, and what a crop took away lie there.
_MARGIN = 0.08
# Side of the image at which two are laid over one another, coarse to fine, and steps of the fit at each.
_LEVELS, _STEPS = (16, 32, 64), 4
# The most that an image may be moved, and stretched, along an axis, as a share of its side.
_MOST = np.array([0.08, 0.12, 0.08, 0.12], np.float32)
_DAMPING = 1e-2
_TINY = 1e-6


@dataclass(frozen=True, eq=False)
class Sketch:
    """An image in little, and the hash of all of it."""

    digest: bytes
    small: Floats
    """(P, SMALL, SMALL), of mean 0 and norm 1; P is 1 for a picture, and for a volume four planes along its depth."""
    large: NDArray[np.float16]
    """(P, LARGE, LARGE)."""
    filled: float
    """Pixels of a plane of the small sketch that its structure is spread over, 1 to SMALL x SMALL."""


def sketch(image: Pixels) -> Sketch | None:
    """Sketch a picture (H, W, C) or a volume (D, H, W, C); None where every value is the same."""
    if image.min() == image.max():
        return None
    planes = image[None] if image.ndim == 3 else image[[round(part * (len(image) - 1)) for part in _DEPTHS]]
    large = np.stack([_thumbnail(plane) for plane in planes])
    small = _standard(_shrunk(large, SMALL))
    small -= small.mean()
    energy = small**2
    filled = energy.sum() ** 2 / max((energy**2).sum(), _TINY) / len(planes)
    digest = hashlib.sha256(image.tobytes())
    digest.update(repr(image.shape).encode())
    return Sketch(
        digest.digest(), small / (np.sqrt(energy.sum()) + _TINY), _standard(large).astype(np.float16), float(filled)
    )


def turned(planes: Planes) -> Iterator[Planes]:
    """The eight ways to turn and mirror planes (..., P, S, S); of a volume also with its depth reversed."""
    for depth in (planes,) if planes.shape[-3] == 1 else (planes, planes[..., ::-1, :, :]):
        for quarter in range(4):
            way = np.rot90(depth, quarter, (-2, -1))
            yield way
            yield way[..., ::-1]


def likeness(first: Floats, second: Floats) -> Floats:
    """Correlation of pairs of large sketches (N, P, LARGE, LARGE) where each second lies over its first best.

    It is moved and stretched along both axes by Gauss-Newton steps from where it is, coarse to fine.
    """
    fit = np.zeros((len(first), 4), np.float32)
    best = np.zeros(len(first), np.float32)
    for side in _LEVELS:
        below, above = _shrunk(first, side), _shrunk(second, side)
        best[:] = 0
        for _ in range(_STEPS):
            alike, step = _step(below, above, fit)
            best = np.maximum(best, alike)
            fit = np.clip(fit + step, -_MOST, _MOST)
    return best


def _thumbnail(plane: Pixels) -> Floats:
    channels = plane.shape[-1]
    grey = Image.fromarray(plane @ np.full(channels, 1 / channels, np.float32))
    return np.asarray(grey.resize((LARGE, LARGE), Image.Resampling.BILINEAR))


def _standard(planes: Floats) -> Floats:
    around = _AROUND * planes.shape[-1]
    detail = _smooth(planes, _BLUR) - _smooth(planes, around)
    spread = np.sqrt(np.maximum(_smooth(detail**2, around), 0))
    standard: Floats = detail / (spread + _FLOOR * detail.std() + _TINY)
    return standard


def _smooth(planes: Floats, sigma: float) -> Floats:
    kernel = _kernel(planes.shape[-1], sigma)
    smooth: Floats = np.matmul(np.matmul(kernel, planes), kernel.T)
    return smooth


@cache
def _kernel(side: int, sigma: float) -> Floats:
    kernel: Floats = gaussian_filter1d(np.eye(side, dtype=np.float32), sigma, axis=0, mode="nearest")
    return kernel


def _shrunk(planes: Floats, side: int) -> Floats:
    """Means over squares of pixels: (..., S, S) to (..., side, side)."""
    each = planes.shape[-1] // side
    squares = planes.reshape(*planes.shape[:-2], side, each, side, each)
    means: Floats = squares.mean(axis=(-3, -1), dtype=np.float32)
    return means


def _step(first: Floats, second: Floats, fit: Floats) -> tuple[Floats, Floats]:
    """Likeness at the fit (N, 4), of a move and a stretch along y, then along x, and the step that should raise it."""
    rows, columns = _sampling(fit[:, :2], second.shape[-1]), _sampling(fit[:, 2:], second.shape[-1])
    laid: Floats = np.matmul(np.matmul(rows[:, None], second), columns[:, None].swapaxes(-1, -2))
    seen: Floats = _seen(rows)[:, None, :, None] * _seen(columns)[:, None, None, :]
    still, moved = _normal(first, seen), _normal(laid, seen)
    slopes = _slopes(laid / _norm(laid, seen), seen)
    curvature = slopes @ slopes.swapaxes(1, 2)
    damping = _DAMPING * np.trace(curvature, axis1=1, axis2=2)[:, None, None] / 4 + _TINY
    missing = slopes @ (still - moved).reshape(len(fit), -1, 1)
    step = np.linalg.solve(curvature + damping * np.eye(4, dtype=np.float32), missing)
    return (still * moved).sum(axis=(1, 2, 3)), step[..., 0]


def _sampling(fit: Floats, side: int) -> Floats:
    """Weights (N, S, S) by which rows of an image are mixed linearly where it is moved and stretched by (N, 2)."""
    places = ((1 + fit[:, 1:]) * _line(side) + fit[:, :1] + 0.5) * (side - 1)
    weights: Floats = np.maximum(0, 1 - np.abs(places[..., None] - np.arange(side, dtype=np.float32)))
    return weights


def _line(side: int) -> Floats:
    return np.linspace(-0.5, 0.5, side, dtype=np.float32)


def _seen(weights: Floats) -> Floats:
    """1 for each row (N, S) that is compared, 0 for those at the margin or beyond the image that was moved."""
    middle = np.abs(_line(weights.shape[-1])) <= 0.5 - _MARGIN
    return np.where(middle & (weights.sum(axis=-1) > 0.99), np.float32(1), np.float32(0))


def _centred(planes: Floats, seen: Floats) -> Floats:
    axes = (1, 2, 3)
    mean = (planes * seen).sum(axes, keepdims=True) / (seen.sum(axes, keepdims=True) * planes.shape[1])
    centred: Floats = (planes - mean) * seen
    return centred


def _norm(planes: Floats, seen: Floats) -> Floats:
    norm: Floats = np.sqrt((_centred(planes, seen) ** 2).sum(axis=(1, 2, 3), keepdims=True)) + _TINY
    return norm


def _normal(planes: Floats, seen: Floats) -> Floats:
    return _centred(planes, seen) / _norm(planes, seen)


def _slopes(planes: Floats, seen: Floats) -> Floats:
    """How each pixel (N, 4, P x S x S) changes with the four numbers of the fit."""
    side = planes.shape[-1]
    down, along = (slope * (side - 1) * seen for slope in np.gradient(planes, axis=(2, 3)))
    slopes = np.stack([down, down * _line(side)[:, None], along, along * _line(side)], axis=1)
    flat = slopes.reshape(len(planes), 4, -1)
    centred: Floats = flat - flat.mean(axis=-1, keepdims=True)
    return centred
