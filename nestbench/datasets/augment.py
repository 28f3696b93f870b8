"""Augmentation of a batch on its device, with parameters of its own for each sample.

The parameters are a pure function of (seed, epoch, place of the sample in the epoch): what ran before, the batch size
and the network have no say, so every member of a study sees the same pictures.

Only symmetries of the square move pixels, and of the box that a volume is: they are exact, while turning by any angle
blurs borders by half a pixel, which is much for an object of a few pixels.
"""

import numpy as np
import torch
from torch import Tensor


def draws(seed: int, epoch: int, samples: int, dims: int = 2) -> Tensor:
    """Uniform numbers in [0, 1), one row of them for each sample of the epoch: (samples, 3 + dims), float32."""
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    return torch.from_numpy(generator.random((samples, 3 + dims), dtype=np.float32))


def move(pixels: Tensor, draw: Tensor) -> Tensor:
    """Mirror and turn by quarters pixels (N, C, *space), of images or of masks, by a row of ``draws`` for each sample.

    One of the eight symmetries of the square, or sixteen of the box; the last two axes of space are of one length.
    """
    chosen = (draw[:, 2:] < 0.5).view(len(draw), -1, *(1,) * (pixels.dim() - 1))
    for axis in range(1, pixels.dim() - 1):
        pixels = torch.where(chosen[:, axis - 1], pixels.flip(-axis), pixels)
    return torch.where(chosen[:, -1], pixels.transpose(-1, -2), pixels)


def shade(images: Tensor, draw: Tensor) -> Tensor:
    """Shade standardised images (N, C, *space) by the first two numbers of a row of ``draws`` for each sample.

    Contrast changes by a factor of 0.75 to 1.33, brightness by up to 0.3 standard deviations.
    """
    contrast = 0.75 ** (2 * draw[:, 0] - 1)
    brightness = 0.6 * (draw[:, 1] - 0.5)
    shape = (-1, *(1,) * (images.dim() - 1))
    return (images * contrast.view(shape)).add_(brightness.view(shape))
