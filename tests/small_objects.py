"""Pictures of a second: bright squares on noise, each an object with a number of its own."""

import numpy as np
import torch
from drawn_feed import feed_of

from nestbench.machine import Plan
from nestbench.model import build

PLAN = Plan("cpu", "float32", "contiguous", 1)
SIDE = 32


def label_map(*boxes, side=SIDE):
    """Boxes (top, left, bottom, right); later ones lie over earlier ones."""
    labels = torch.zeros(side, side, dtype=torch.int32)
    for number, (top, left, bottom, right) in enumerate(boxes, start=1):
        labels[top:bottom, left:right] = number
    return labels


def many(count=1500, side=96):
    """So many objects of a pixel or two each."""
    labels = torch.zeros(side * side, dtype=torch.int32)
    labels[torch.arange(count) * (side * side // count)] = torch.arange(1, count + 1, dtype=torch.int32)
    return labels.reshape(side, side)


def pictures(labels, seed=0):
    """A feed of label maps of one size, each under an image of it."""
    generator = torch.Generator().manual_seed(seed)
    images = [torch.randint(0, 60, (1, *one.shape), dtype=torch.uint8, generator=generator) for one in labels]
    bright = [image + 120 * (one > 0)[None].to(torch.uint8) for image, one in zip(images, labels, strict=True)]
    return feed_of(bright, labels)


def squares(count=8, seed=0):
    drawn = np.random.default_rng(seed)
    maps = []
    for _ in range(count):
        corners = [(6 + 14 * row, 4 + 14 * column) for row in (0, 1) for column in (0, 1)]
        sizes = drawn.integers(6, 11, (4, 2))
        maps.append(label_map(*((y, x, y + h, x + w) for (y, x), (h, w) in zip(corners, sizes, strict=True))))
    return pictures(maps, seed)


def network(name="maskrcnn++", encoder="plain:4", depth=3):
    torch.manual_seed(0)
    return build(name, encoder, depth)
