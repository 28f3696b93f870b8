"""From what a scanner measured to 8 bits, and the mean and deviation that networks see it by."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestbench.errors import RequestError
from nestbench.formats.pictures import Pixels

Ends = tuple[float, float]

MIDDLE, HALF = 127.5, 127.5
"""Mean and deviation by which a window's 0 to 255 become -1 to 1."""

# Percentiles are taken of so many values of a channel at most, evenly spread: more change nothing that is seen.
_ENOUGH = 2**21


def to_bytes(image: NDArray[Any], window: Ends | None, percentiles: Ends, what: str) -> Pixels:
    """Bring an image (..., C) to uint8: the ends become 0 and 255, and what lies beyond them too.

    They are the window's where there is one; brightness (uint8) stays as it is; any other values have their own
    percentiles, channel by channel: so has colour of 16 bits, whose hue is not kept. Raises RequestError for values
    that are not numbers; ``what`` is the image, for its sentence.
    """
    if image.dtype == np.uint8 and window is None:
        return image
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise RequestError(f"{what} holds values that are not numbers")
    pixels = np.empty(image.shape, np.uint8)
    for channel in range(image.shape[-1]):
        values = image[..., channel]
        low, high = window or _percentiles(values, percentiles)
        # Plane by plane: a volume of floats beside the volume would double what is held.
        for plane, into in zip(values, pixels, strict=True):
            into[..., channel] = _scaled(plane, low, high)
    return pixels


def moments(pixels: Pixels, *, windowed: bool = False) -> tuple[float, float]:
    """Mean and standard deviation by which a network sees an image, over all its pixels and channels.

    Microscopes and scanners differ in gain and offset from image to image, so each has its own; but in a window of
    units (Hounsfield) the value itself says something, and every image has the window's.
    """
    if windowed:
        return MIDDLE, HALF
    counts = np.bincount(pixels.reshape(-1), minlength=256)
    mean = float(np.average(np.arange(256), weights=counts))
    variance = float(np.average((np.arange(256) - mean) ** 2, weights=counts))
    # An even image becomes zeros.
    return mean, max(math.sqrt(variance), 1.0)


def _percentiles(values: NDArray[Any], percentiles: Ends) -> Ends:
    flat = values.reshape(-1)
    low, high = np.percentile(flat[:: max(1, flat.size // _ENOUGH)].astype(np.float64), percentiles)
    return float(low), float(high)


def _scaled(values: NDArray[Any], low: float, high: float) -> Pixels:
    span = high - low if high > low else 1.0
    found: Pixels = np.rint(np.clip((values.astype(np.float64) - low) / span, 0, 1) * 255).astype(np.uint8)
    return found
