"""An image to its mask by a network: resized as in training, standardised, in windows where it is large."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nestbench.datasets.feed import standardise
from nestbench.datasets.intensity import moments
from nestbench.datasets.resize import Space, resized_image
from nestbench.engine import Engine, as_it_is
from nestbench.errors import RequestError
from nestbench.evaluate import output
from nestbench.formats.pictures import MOST_PIXELS, Pixels
from nestbench.metrics import decide
from nestbench.model import AnyNetwork, Spec
from nestbench.study.data import MAX_SIZE
from nestbench.windows import MOST_OVERLAP, OVERLAP, windows

WINDOW = {2: 1024, 3: 128}
"""Sides of a window, in pixels by the network's dimensions: longer sides are taken in parts."""

_AT_ONCE = 2**20
"""Pixels of slices that go through the network together."""


def predict_mask(
    network: AnyNetwork | Engine,
    pixels: Pixels,
    size: int | Space | None = None,
    window: int | None = None,
    overlap: float = OVERLAP,
    *,
    windowed: bool = False,
    patch: int | None = None,
) -> NDArray[np.uint8]:
    """Class index of each pixel, of the image's own size: (H, W), or (D, H, W).

    As ``predict_probabilities``, by its rules.
    """
    return decided(predict_probabilities(network, pixels, size, window, overlap, windowed=windowed, patch=patch))


@torch.no_grad()
def predict_probabilities(
    network: AnyNetwork | Engine,
    pixels: Pixels,
    size: int | Space | None = None,
    window: int | None = None,
    overlap: float = OVERLAP,
    *,
    windowed: bool = False,
    patch: int | None = None,
) -> NDArray[np.float32]:
    """Probabilities (K, H, W), or (K, D, H, W), by the network's ensemble, or by its head where it has one.

    ``pixels`` are uint8 (H, W, C), or (D, H, W, C) for a volume, which a 2D network takes slice by slice. ``size`` is
    the side that training resized images to, or the pixels along each axis; None takes the pixels as they are. Sides
    longer than ``window`` are taken in windows that share ``overlap`` of their length. ``patch`` is the side of the
    windows that training saw: shorter sides are padded to it, and it is the window where none is given. ``windowed``:
    the pixels were made of a window of units, as in training, and are standardised by the window's mean and deviation,
    not by their own. A network runs on the device and in the type of its weights, and is left in evaluation mode; an
    engine runs by its plan.

    Raises RequestError for an image of the wrong dimensions or channels, and a window that the network cannot take.
    """
    engine = network if isinstance(network, Engine) else as_it_is(network)
    spec = engine.spec
    check_options(spec, size if isinstance(size, int) else None, window, overlap, patch)
    _check_image(spec, pixels)
    space = _space(pixels.shape[:-1], size, spec.dims)
    taken = pixels if space == pixels.shape[:-1] else resized_image(pixels, space)
    shift = torch.tensor([moments(taken, windowed=windowed)])
    images = taken[None] if taken.ndim == spec.dims + 1 else taken
    least = max(2**spec.depth, patch or 0)
    step = max(1, _AT_ONCE // math.prod(max(least, side) for side in images.shape[1:-1]))
    predicted = (
        _probabilities(
            engine, images[start : start + step], shift, least, window or patch or WINDOW[spec.dims], overlap
        )
        for start in range(0, len(images), step)
    )
    every = torch.cat([_restored(part, pixels.shape[-spec.dims - 1 : -1]) for part in predicted])
    found: NDArray[np.float32] = (every[0] if images is not taken else _slices(every, len(pixels))).numpy()
    return found


def decided(probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Class index of each pixel from probabilities (K, ...)."""
    return decide(torch.from_numpy(probability)[None])[0].to(torch.uint8).numpy()


def check_options(spec: Spec, size: int | None, window: int | None, overlap: float, patch: int | None = None) -> None:
    """Make sure that a network takes images of this size, in windows like these.

    Raises RequestError for one that it does not take, and for more classes than a mask can hold.
    """
    least = 2**spec.depth
    for what, value in (("size", size), ("window", window), ("patch", patch)):
        if value is not None and value < least:
            raise RequestError(f"{what} {value} is too small: a network of depth {spec.depth} takes {least} or more")
    if size is not None and size > MAX_SIZE:
        raise RequestError(f"size {size} is too large: an image is resized to at most {MAX_SIZE} pixels a side")
    if patch is not None and patch**spec.dims > MOST_PIXELS:
        raise RequestError(
            f"patch {patch} is too large: one of {spec.dims} axes would have over {MOST_PIXELS:,} pixels"
        )
    if not 0 <= overlap <= MOST_OVERLAP:
        raise RequestError(f"overlap {overlap:g} is not between 0 and {MOST_OVERLAP:g}")
    if spec.classes > 256:
        raise RequestError(f"the network has {spec.classes} classes, and a mask holds at most 256")


def _check_image(spec: Spec, pixels: Pixels) -> None:
    if pixels.dtype != np.uint8:
        raise RequestError(f"the image holds {pixels.dtype}, and networks are trained on uint8, 0 to 255")
    if pixels.ndim not in {spec.dims + 1, 4}:
        raise RequestError(f"a {spec.dims}D network cannot take an image of the shape {list(pixels.shape)}")
    if pixels.shape[-1] != spec.in_channels:
        raise RequestError(f"the image has {pixels.shape[-1]} channels, and the network takes {spec.in_channels}")


def _space(space: Space, size: int | Space | None, dims: int) -> Space:
    """Pixels along each axis that an image is resized to."""
    if size is None:
        return space
    return (*space[:-dims], *(size,) * dims) if isinstance(size, int) else size


def _probabilities(engine: Engine, images: Pixels, shift: Tensor, least: int, window: int, overlap: float) -> Tensor:
    """Probabilities (N, K, *space) on the CPU for images (N, *space, C), standardised by one mean and deviation."""
    values = torch.from_numpy(np.array(np.moveaxis(images, -1, 1), order="C")).to(engine.device)
    values = standardise(values, shift.to(engine.device).expand(len(values), -1))
    found = _blended(engine, _padded(values, least), window, overlap)
    return found[(slice(None), slice(None), *map(slice, images.shape[1:-1]))]


def _blended(engine: Engine, images: Tensor, window: int, overlap: float) -> Tensor:
    """Probabilities (N, K, *space) on the CPU: those of all windows, each with its weights."""
    total = None
    space = tuple(images.shape[2:])
    for axes, weights in windows(space, (window,) * len(space), overlap):
        place = (slice(None), slice(None), *axes)
        primary = output(engine.logits(images[place]), engine.spec.outputs[-1]).cpu()
        if total is None:
            total = primary.new_zeros(*primary.shape[:2], *images.shape[2:])
        total[place] += primary * weights
    assert total is not None, "there is at least one window"
    return total


def _padded(images: Tensor, least: int) -> Tensor:
    """Images (N, C, *space) with their far edges repeated until no side is below ``least``."""
    missing = [max(0, least - side) for side in images.shape[2:]]
    if not any(missing):
        return images
    return functional.pad(images, [n for side in reversed(missing) for n in (0, side)], mode="replicate")


def _restored(values: Tensor, space: Space) -> Tensor:
    """Bring (N, K, *any) to (N, K, *space), linear, averaging over what a larger pixel covers."""
    if values.shape[2:] == space:
        return values
    if len(space) == 2:
        return _interpolated(values, space)
    count, classes, deep = values.shape[:3]
    planes = _interpolated(values.flatten(1, 2), space[1:]).reshape(count, classes, deep, -1)
    return _interpolated(planes, (space[0], planes.shape[3])).reshape(count, classes, *space)


def _slices(values: Tensor, depth: int) -> Tensor:
    """Slices (D, K, H, W) as one volume (K, depth, H, W)."""
    volume = values.movedim(0, 1)
    return volume if volume.shape[1] == depth else _restored(volume[None], (depth, *volume.shape[2:]))[0]


def _interpolated(values: Tensor, space: Space) -> Tensor:
    return functional.interpolate(values, size=space, mode="bilinear", antialias=True)
