"""Images, masks and objects at another size: pictures (H, W) and volumes (D, H, W), an axis after the other."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt

from nestbench.datasets.contract import Labels
from nestbench.errors import RequestError
from nestbench.formats.pictures import Pixels
from nestbench.study.data import Spacing

Space = tuple[int, ...]
"""Pixels along each axis."""


def resampled(space: Space, own: tuple[float, ...] | None, wanted: Spacing, what: str) -> Space:
    """Pixels along each axis once neighbours are ``wanted`` millimetres apart, one number or one for each axis.

    Raises RequestError where ``what`` does not say its own spacing, or has another number of axes.
    """
    each = wanted if isinstance(wanted, tuple) else (wanted,) * len(space)
    if own is None:
        raise RequestError(f"{what} does not say its spacing, so it cannot be resampled")
    if len(each) != len(space):
        raise RequestError(f"{what} has {len(space)} axes, and there are {len(each)} spacings")
    return tuple(max(1, round(n * old / new)) for n, old, new in zip(space, own, each, strict=True))


def resized_image(image: Pixels, space: Space) -> Pixels:
    """Resize (*any, C) to (*space, C), linear, averaging over what a larger pixel covers."""
    return np.stack([_resized(image[..., c], space, _blended) for c in range(image.shape[-1])], axis=-1)


def resized_mask(mask: Pixels, space: Space) -> Pixels:
    """Resize a mask: each pixel takes the class that covers most of it.

    The nearest pixel's class would do for large objects; for small ones it makes borders ragged by chance, more than
    networks differ by.
    """
    return _resized(mask, space, _most_covering)


def resized_instances(instances: Labels, mask: Pixels) -> Labels:
    """Resize to the resized mask's shape: each pixel of the mask takes the object that covers most of it.

    Every object ends where the mask does; a pixel of the mask that no object covers takes the nearest one.
    """
    covering = _most_covering_object(instances, mask.shape)
    if not covering.any():
        return np.asarray(mask > 0, dtype=np.int32)
    places = distance_transform_edt(covering == 0, return_distances=False, return_indices=True)
    return np.asarray(np.where(mask > 0, covering[tuple(places)], 0), dtype=np.int32)


def _resized(values: Pixels, space: Space, resize: Callable[[Pixels, int, int], Pixels]) -> Pixels:
    """Resize each plane, then across planes."""
    if values.shape == space:
        return values
    if values.ndim == 2:
        return resize(values, *space)
    depth, height, width = space
    planes = values if values.shape[1:] == (height, width) else np.stack([resize(p, height, width) for p in values])
    if len(planes) == depth:
        return planes
    return resize(planes.reshape(len(planes), height * width), depth, height * width).reshape(space)


def _blended(values: Pixels, height: int, width: int) -> Pixels:
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR))


def _most_covering(values: Pixels, height: int, width: int) -> Pixels:
    classes = np.unique(values)
    best = np.full((height, width), classes[0], np.uint8)
    most: NDArray[Any] | None = None
    for label in classes:
        plane = Image.fromarray((values == label).astype(np.float32))
        covered = np.asarray(plane.resize((width, height), Image.Resampling.BOX))
        if most is not None:
            best[covered > most] = label
        most = covered if most is None else np.maximum(most, covered)
    return best


def _most_covering_object(instances: Labels, space: Space) -> Labels:
    """The number that most pixels of each block have, background aside; the lowest of equals, 0 where none has one."""
    sources, targets = zip(*map(_blocks, instances.shape, space), strict=True)
    seen = instances[np.ix_(*sources)]
    where = np.nonzero(seen)
    numbers, rank = np.unique(seen[where], return_inverse=True)
    places = np.ravel_multi_index([axis[own] for axis, own in zip(targets, where, strict=True)], space)
    pairs, votes = np.unique(places * len(numbers) + rank, return_counts=True)
    place, which = np.divmod(pairs, max(1, len(numbers)))
    best = np.zeros(space, np.int32)
    order = np.lexsort((-votes, place))
    _, first = np.unique(place[order], return_index=True)
    chosen = order[first]
    best.ravel()[place[chosen]] = numbers[which[chosen]]
    return best


def _blocks(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of ``old`` pixels of an axis are looked at for ``new`` ones, and for which: as Pillow's box filter does."""
    if new > old:
        every = np.arange(new)
        return (2 * every + 1) * old // (2 * new), every
    every = np.arange(old)
    return every, ((2 * every + 1) * new - 1) // (2 * old)
