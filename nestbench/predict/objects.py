"""An image to the objects in it: as training saw its images, told apart there, and brought back to its own size."""

import numpy as np
import torch

from nestbench.datasets.feed import standardise
from nestbench.datasets.intensity import moments
from nestbench.datasets.resize import Space, resized_image
from nestbench.engine import Engine
from nestbench.errors import RequestError
from nestbench.find import Answer, Finder, apart
from nestbench.formats.pictures import Pixels
from nestbench.instances.detected import Labels
from nestbench.instances.ways import Way
from nestbench.predict.masks import check_image, predict_probabilities
from nestbench.windows import OVERLAP


def predict_objects(
    network: Engine | Finder,
    pixels: Pixels,
    way: Way,
    size: Space,
    window: int | None = None,
    overlap: float = OVERLAP,
    *,
    windowed: bool = False,
    patch: int | None = None,
) -> Labels:
    """Number of the object that each pixel belongs to, the surest 1, and 0 where there is none: (H, W).

    ``pixels`` are uint8 (H, W, C). Objects are told apart at ``size``, the pixels along each axis that training would
    have brought the image to, for ``way`` counts in those. A Mask R-CNN sees the image whole; for other networks, and
    for ``windowed``, as ``predict_probabilities``.

    Raises RequestError for a volume, and for an image of other channels than the network's.
    """
    if pixels.ndim == 4:
        raise RequestError("the image is a volume, and objects are told apart in pictures")
    check_image(network.spec, pixels)
    taken = pixels if size == pixels.shape[:-1] else resized_image(pixels, size)
    if isinstance(network, Finder):
        found = _seen(network, taken, windowed)
    else:
        blended = predict_probabilities(network, taken, None, window, overlap, windowed=windowed, patch=patch)
        found = 1 - blended[0]
    return _restored(apart(found, way).sure.labels, (pixels.shape[0], pixels.shape[1]))


def _seen(finder: Finder, pixels: Pixels, windowed: bool) -> Answer:
    image = torch.from_numpy(np.array(np.moveaxis(pixels, -1, 0), order="C"))[None]
    return finder.objects(standardise(image, torch.tensor([moments(pixels, windowed=windowed)])))


def _restored(labels: Labels, space: tuple[int, int]) -> Labels:
    """Labels at another size: the number at the middle of each pixel."""
    rows, columns = (
        (2 * np.arange(wanted) + 1) * given // (2 * wanted) for wanted, given in zip(space, labels.shape, strict=True)
    )
    return np.ascontiguousarray(labels[np.ix_(rows, columns)])
