"""Drawing microscopy: textured cells that touch, and all that makes thresholds fail on them.

A picture is a signal (cells, out-of-focus blobs, debris, haze), seen in a slide's optics: blur, uneven light,
polarity (bright on dark as in fluorescence, dark on bright as in bright field), shot noise and read noise. What marks
a cell is grain and a sharp edge; brightness alone does not.

Every number comes from the generators passed in, and every operation is plain float64, so that machines agree.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from nestbench.datasets.contract import Labels, Sample
from nestbench.formats.pictures import Pixels

Field = NDArray[np.float64]

Spot = tuple[float, float, float]
"""Row, column and radius of a cell in pixels."""

SIDE = 128
"""Pixels a side of every picture."""
RADII = (3.4, 26.0)
"""Smallest and largest radius of a cell in pixels: diameters of 5 to 40 in a picture of 96."""


@dataclass(frozen=True)
class Slide:
    """What the pictures of one slide share."""

    bright: bool
    """Cells brighter than their surroundings, as in fluorescence."""
    contrast: float
    """Intensity of a signal of 1, of a range of 1."""
    light: float
    """Strength of the unevenness of the light, 0 to 1."""
    blur: float
    """Standard deviation of the optics' blur in pixels."""
    noise: float
    """Standard deviation of the read noise, of a range of 1."""
    crowding: float
    """Share of cells that are set beside another one."""
    grain: float
    """Strength of the cells' texture."""


def draw_slide(rng: Generator) -> Slide:
    """A slide's optics, stain and culture."""
    return Slide(
        bright=bool(rng.random() < 0.6),
        contrast=rng.uniform(0.45, 0.8),
        light=rng.uniform(0.25, 0.6),
        blur=rng.uniform(0.5, 0.9),
        noise=rng.uniform(0.015, 0.04),
        crowding=rng.uniform(0.4, 0.8),
        grain=rng.uniform(0.45, 0.7),
    )


def draw_picture(slide: Slide, rng: Generator) -> Sample:
    """A picture of a slide: image (SIDE, SIDE, 1), mask with 1 for cells, and the cells numbered from 1."""
    instances, depth = _cells(slide, rng)
    signal = _stain(instances, depth, slide, rng) + _distractors(rng)
    image = _exposed(_blurred(signal, slide.blur), slide, rng)
    return Sample(image[..., None], (instances > 0).astype(np.uint8), instances)


def _cells(slide: Slide, rng: Generator) -> tuple[Labels, Field]:
    """Cells of log-uniform size, and for each of their pixels the depth: 0 at the edge, 1 in the centre."""
    level = np.ones((SIDE, SIDE))
    instances = np.zeros((SIDE, SIDE), np.int32)
    placed: list[Spot] = []
    wanted = rng.uniform(0.12, 0.38) * SIDE**2
    for _ in range(400):
        if sum(np.pi * r**2 for _, _, r in placed) > wanted:
            break
        spot = _spot(placed, slide, rng)
        if spot is not None:
            placed.append(spot)
            outline = _outline(spot, rng)
            nearer = outline < level
            instances[nearer] = len(placed)
            level[nearer] = outline[nearer]
    return _renumbered(instances), 1 - level


def _spot(placed: list[Spot], slide: Slide, rng: Generator) -> Spot | None:
    """Place and radius of one more cell, alone or touching another; None where it would lie on one."""
    radius = float(np.exp(rng.uniform(*np.log(RADII))))
    y, x = rng.uniform(0, SIDE, 2)
    if placed and rng.random() < slide.crowding:
        other_y, other_x, other = placed[rng.integers(len(placed))]
        angle, gap = rng.uniform(0, 2 * np.pi), (radius + other) * rng.uniform(0.82, 1.0)
        y, x = other_y + gap * np.sin(angle), other_x + gap * np.cos(angle)
    inside = 0 <= y < SIDE and 0 <= x < SIDE
    free = all(np.hypot(y - b, x - a) > 0.8 * (radius + r) for b, a, r in placed)
    return (float(y), float(x), radius) if inside and free else None


def _outline(spot: Spot, rng: Generator) -> Field:
    """Distance from a cell's centre in units of its own radius in that direction: 1 on its edge."""
    y, x, radius = spot
    rows, columns = _grid()
    distance, angle = np.hypot(rows - y, columns - x), np.arctan2(rows - y, columns - x)
    reach = np.ones_like(distance)
    for waves, strength in ((2, 0.22), (3, 0.08), (5, 0.04)):
        reach += strength * rng.random() * np.cos(waves * angle + rng.uniform(0, 2 * np.pi))
    outline: Field = distance / (radius * reach)
    return outline


def _renumbered(instances: Labels) -> Labels:
    """Numbers without gaps: a cell that others cover altogether is none."""
    return np.unique(instances, return_inverse=True)[1].reshape(instances.shape).astype(np.int32)


def _stain(instances: Labels, depth: Field, slide: Slide, rng: Generator) -> Field:
    """Signal of the cells: each with its own brightness and profile, all with grain."""
    count = instances.max() + 1
    brightness = np.exp(rng.uniform(np.log(0.25), 0, count))[instances]
    hollow = rng.uniform(-0.5, 0.4, count)[instances]
    grain = 1 + slide.grain * _grain(1.3, rng)
    body = brightness * np.clip(grain, 0.1, None) * (0.85 + hollow * (depth - 0.5))
    return np.where(instances > 0, body, 0.0)


def _distractors(rng: Generator) -> Field:
    """Signal that is no cell: haze, blobs out of focus, debris and fibres; all of it without grain or without area."""
    haze = 0.12 * _grain(20, rng)
    blobs = sum((_blob(rng) for _ in range(rng.integers(2, 7))), np.zeros((SIDE, SIDE)))
    dots = np.zeros((SIDE, SIDE))
    count = rng.integers(5, 30)
    dots[rng.integers(0, SIDE, count), rng.integers(0, SIDE, count)] = rng.uniform(2, 9, count)
    return haze + blobs + _blurred(dots, 0.9) + _fibre(rng)


def _blob(rng: Generator) -> Field:
    rows, columns = _grid()
    y, x = rng.uniform(0, SIDE, 2)
    width, length = rng.uniform(6, 15, 2)
    blob: Field = np.exp(-(((rows - y) / width) ** 2 + ((columns - x) / length) ** 2) / 2)
    return rng.uniform(0.35, 1.0) * blob


def _fibre(rng: Generator) -> Field:
    line = np.zeros((SIDE, SIDE))
    along = np.linspace(-0.2, 1.2, 4 * SIDE)
    start, end, bend = rng.uniform(0, SIDE, 2), rng.uniform(0, SIDE, 2), rng.normal(0, SIDE / 4, 2)
    points = start + along[:, None] * (end - start) + (along * (1 - along))[:, None] * bend
    rows, columns = np.rint(points[((points >= 0) & (points < SIDE - 1)).all(axis=1)]).astype(int).T
    line[rows, columns] = rng.uniform(0.5, 2.5)
    return _blurred(line, 0.8)


def _exposed(signal: Field, slide: Slide, rng: Generator) -> Pixels:
    """Light, polarity and noise: from signal to grey values."""
    seen = slide.contrast * np.clip(signal, -0.3, 1.6)
    image = 0.1 + seen if slide.bright else 0.75 - seen
    light = 1 + slide.light * _slope(rng)
    electrons = np.clip(image * light, 0, None)
    noisy = electrons + np.sqrt(electrons) * 0.04 * rng.normal(size=signal.shape)
    noisy += slide.noise * rng.normal(size=signal.shape)
    return np.rint(255 * np.clip(noisy, 0, 1)).astype(np.uint8)


def _slope(rng: Generator) -> Field:
    """Light that falls off to one side and to the corners, -1 to 1."""
    rows, columns = (axis * 2 / (SIDE - 1) - 1 for axis in _grid())
    angle = rng.uniform(0, 2 * np.pi)
    tilt = (rows * np.sin(angle) + columns * np.cos(angle)) / np.sqrt(2)
    slope: Field = 0.7 * tilt - 0.3 * (rows**2 + columns**2 - 1)
    return slope


def _grain(scale: float, rng: Generator) -> Field:
    """Noise of one scale in pixels, mean 0 and standard deviation 1."""
    field = _blurred(rng.normal(size=(SIDE, SIDE)), scale)
    grain: Field = (field - field.mean()) / field.std()
    return grain


def _blurred(field: Field, scale: float) -> Field:
    blurred: Field = ndimage.gaussian_filter(field, scale)
    return blurred


def _grid() -> tuple[Field, Field]:
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    return rows, columns
