"""An image to its mask by a network: resized as in training, standardised, in windows where it is large."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nestbench.datasets.feed import Feed
from nestbench.datasets.intensity import moments
from nestbench.datasets.resize import Space, resized_image
from nestbench.datasets.source import held
from nestbench.engine import Engine, as_it_is
from nestbench.errors import RequestError
from nestbench.evaluate import blended, output
from nestbench.formats.pictures import MOST_PIXELS, Pixels
from nestbench.metrics import decide
from nestbench.model import AnyNetwork, Spec
from nestbench.study.data import MAX_SIZE
from nestbench.windows import MOST_OVERLAP, OVERLAP

WINDOW = {2: 1024, 3: 128}
"""Sides of a window, in pixels by the network's dimensions: longer sides are taken in parts."""


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
    windows that training saw: shorter sides are padded to it, or to a window that is smaller, and it is the window
    where none is given. ``windowed``: the pixels were made of a window of units, as in training, and are standardised
    by the window's mean and deviation, not by their own. A network runs on the device and in the type of its weights,
    and is left in evaluation mode; an engine runs by its plan.

    Raises RequestError for an image of the wrong dimensions or channels, and a window that the network cannot take.
    """
    engine = network if isinstance(network, Engine) else as_it_is(network)
    spec = engine.spec
    check_options(spec, size if isinstance(size, int) else None, window, overlap, patch)
    check_image(spec, pixels)
    space = _space(pixels.shape[:-1], size, spec.dims)
    taken = pixels if space == pixels.shape[:-1] else resized_image(pixels, space)
    whole = taken[None] if taken.ndim == 3 else taken
    standard = torch.tensor([moments(taken, windowed=windowed)], device=engine.device)
    data = _alone(whole, standard, _window(spec, whole.shape[:-1], window, patch), spec.dims)
    found: NDArray[np.float32] = _joined(_probabilities(engine, data, overlap), pixels.shape[:-1], spec.dims).numpy()
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


def check_image(spec: Spec, pixels: Pixels) -> None:
    """Raise RequestError for an image whose type, dimensions or channels the network cannot take."""
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


def _window(spec: Spec, space: Space, window: int | None, patch: int | None) -> Space:
    """Sides (d, h, w) of what the network sees at once of an image of sides (D, H, W): all of it that it can."""
    least, longest = max(2**spec.depth, patch or 0), window or patch or WINDOW[spec.dims]
    sides = tuple(min(max(side, least), longest) for side in space)
    return sides if spec.dims == 3 else (1, *sides[1:])


def _alone(image: Pixels, standard: Tensor, window: Space, dims: int) -> Feed:
    """An image (D, H, W, C) as a side of one case, whose mask nobody knows, with its mean and deviation (1, 2)."""
    space = image.shape[:-1]
    unknown = torch.zeros((), dtype=torch.uint8).expand(space)
    pixels = torch.from_numpy(np.array(np.moveaxis(image, -1, 0), order="C"))
    return Feed(held([pixels]), held([unknown]), [space], standard, window, dims, step=max(window))


def _probabilities(engine: Engine, data: Feed, overlap: float) -> Iterator[Tensor]:
    """Probabilities (K, d, H, W), on the CPU, of an image's planes from the first to the last."""
    name = engine.spec.outputs[-1]
    for planes in blended(lambda images: {name: output(engine.logits(images), name).cpu()}, data, overlap):
        yield planes.probability[name]


def _joined(parts: Iterator[Tensor], space: Space, dims: int) -> Tensor:
    """Planes (K, d, *any), one after the other, as the image of sides ``space`` that they are of: (K, *space)."""
    if dims == 3:
        return _restored(torch.cat(list(parts), dim=1)[None], space)[0]
    # Slice by slice: what they were resized to may be far less than what they become.
    planes = torch.cat([_restored(part.movedim(1, 0), space[-2:]) for part in parts]).movedim(0, 1)
    if len(space) == 2:
        return planes[:, 0]
    return planes if planes.shape[1] == space[0] else _restored(planes[None], space)[0]


def _restored(values: Tensor, space: Space) -> Tensor:
    """Bring (N, K, *any) to (N, K, *space), linear, averaging over what a larger pixel covers."""
    if values.shape[2:] == space:
        return values
    if len(space) == 2:
        return _interpolated(values, space)
    count, classes, deep = values.shape[:3]
    planes = _interpolated(values.flatten(1, 2), space[1:]).reshape(count, classes, deep, -1)
    return _interpolated(planes, (space[0], planes.shape[3])).reshape(count, classes, *space)


def _interpolated(values: Tensor, space: Space) -> Tensor:
    return functional.interpolate(values, size=space, mode="bilinear", antialias=True)
