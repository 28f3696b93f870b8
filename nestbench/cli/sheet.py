"""A contact sheet: small images side by side, each with the outline of its mask."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nestbench.datasets.contract import Sample
from nestbench.results.atomic import replacing

_TILE = 160
_GAP = 4
# Bright on dark tissue and dark on bright, and different from both stains and grey.
_OUTLINES = np.array([(255, 215, 0), (0, 200, 255), (255, 80, 200), (120, 255, 80)], np.uint8)


def write_sheet(samples: Sequence[Sample], out: Path) -> Path:
    """Write the samples as one PNG, in rows of about the golden ratio."""
    columns = max(1, min(len(samples), round(math.sqrt(1.6 * len(samples)))))
    rows = math.ceil(len(samples) / columns)
    pitch = _TILE + _GAP
    sheet = Image.new("RGB", (columns * pitch + _GAP, rows * pitch + _GAP), "white")
    for index, sample in enumerate(samples):
        row, column = divmod(index, columns)
        sheet.paste(_tile(sample), (_GAP + column * pitch, _GAP + row * pitch))
    with replacing(out) as beside:
        sheet.save(beside, format="PNG")
    return out


def outline(mask: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Pixels (H, W) of an object whose right, left, upper or lower neighbour is not of that object."""
    padded = np.pad(mask, 1, mode="edge")
    inner = padded[1:-1, 1:-1]
    around = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    borders: NDArray[np.bool_] = np.logical_or.reduce([inner != other for other in around])
    return (inner > 0) & borders


def _tile(sample: Sample) -> Image.Image:
    """An image, scaled to a tile before its outlines are drawn, so that they are one pixel wide."""
    image = sample.image[..., 0] if sample.image.shape[-1] == 1 else sample.image
    pixels = np.array(Image.fromarray(image).convert("RGB").resize((_TILE, _TILE)))
    label = np.array(Image.fromarray(sample.mask).resize((_TILE, _TILE), Image.Resampling.NEAREST))
    objects = label if sample.instances is None else sample.instances
    scaled = np.array(Image.fromarray(objects.astype(np.int32)).resize((_TILE, _TILE), Image.Resampling.NEAREST))
    edge = outline(scaled)
    pixels[edge] = _OUTLINES[(label[edge].astype(int) - 1) % len(_OUTLINES)]
    return Image.fromarray(pixels)
