"""A contact sheet: small images side by side, each with the outlines of its objects."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nestbench.datasets.contract import Sample
from nestbench.datasets.intensity import Ends, to_bytes
from nestbench.datasets.resize import resized_instances, resized_mask
from nestbench.results.atomic import replacing

_TILE = 200
_GAP = 4
# Some images are as white as paper, and some as black as film.
_PAGE = (208, 208, 208)
# Seen on black, white and grey, and on the stains.
_OUTLINES = np.array([(255, 96, 0), (0, 200, 255), (120, 255, 80), (255, 80, 200)], np.uint8)


def write_sheet(tiles: Sequence[Image.Image], out: Path) -> Path:
    """Write pictures as one PNG, each in the middle of a square, in rows of about the golden ratio."""
    columns = max(1, min(len(tiles), round(math.sqrt(1.6 * len(tiles)))))
    rows = math.ceil(len(tiles) / columns)
    pitch = _TILE + _GAP
    sheet = Image.new("RGB", (columns * pitch + _GAP, rows * pitch + _GAP), _PAGE)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        left, top = (_TILE - tile.width) // 2, (_TILE - tile.height) // 2
        sheet.paste(tile, (_GAP + column * pitch + left, _GAP + row * pitch + top))
    with replacing(out) as beside:
        sheet.save(beside, format="PNG")
    return out


def tile(sample: Sample, window: Ends | None, percentiles: Ends) -> Image.Image:
    """A sample as a picture of _TILE pixels on its longer side, in true proportions, with outlines one pixel wide.

    A volume is shown by one of its planes, an image of neither one nor three channels by the first of them. Grey is as
    ``intensity.to_bytes`` makes it of that plane; outlines have the colours of their classes.
    """
    image, mask, instances = _plane(sample)
    width, height = _scaled(mask.shape, (sample.spacing or (1.0, 1.0))[-2:])
    grey = to_bytes(image if image.shape[-1] == 3 else image[..., :1], window, percentiles, "the image")
    picture = Image.fromarray(grey if grey.shape[-1] == 3 else grey[..., 0]).convert("RGB")
    pixels = np.array(picture.resize((width, height)))
    label = resized_mask(mask, (height, width))
    edge = outline(label if instances is None else resized_instances(instances, label))
    pixels[edge] = _OUTLINES[(label[edge].astype(int) - 1) % len(_OUTLINES)]
    return Image.fromarray(pixels)


def outline(mask: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Pixels (H, W) of an object whose right, left, upper or lower neighbour is not of that object."""
    padded = np.pad(mask, 1, mode="edge")
    inner = padded[1:-1, 1:-1]
    around = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    borders: NDArray[np.bool_] = np.logical_or.reduce([inner != other for other in around])
    return (inner > 0) & borders


def _plane(sample: Sample) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Image, mask and instances of a picture, or of the plane of a volume that has most objects and most of them."""
    image, mask, instances = sample.image, sample.mask, sample.instances
    if mask.ndim == 2:
        return image, mask, instances
    told = mask if instances is None else instances
    found = [(len(np.unique(plane[plane > 0])), np.count_nonzero(plane)) for plane in told]
    # Of a volume without objects, the middle.
    best = max(range(len(found)), key=lambda d: (found[d], -abs(d - len(found) // 2)))
    return image[best], mask[best], None if instances is None else instances[best]


def _scaled(shape: tuple[int, ...], spacing: tuple[float, ...]) -> tuple[int, int]:
    """Width and height of a tile."""
    height, width = (n * step for n, step in zip(shape, spacing, strict=True))
    scale = _TILE / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))
