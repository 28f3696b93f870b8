"""Augmentation of a batch on its device, with parameters of its own for each sample.

The parameters are a pure function of (seed, epoch, index of the sample): what ran before, the batch size and
the network have no say, so every member of a study sees the same pictures.

Only the eight symmetries of the square move pixels: they are exact, while turning by any angle blurs borders by half
a pixel, which is much for an object of a few pixels.
"""

import numpy as np
import torch
from torch import Tensor

_DRAWS = 5


def draws(seed: int, epoch: int, samples: int) -> Tensor:
    """Uniform numbers in [0, 1), one row of them for each sample of the training set: (samples, 5), float32."""
    generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    return torch.from_numpy(generator.random((samples, _DRAWS), dtype=np.float32))


def augment(images: Tensor, masks: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror, turn by quarters and shade standardised images (N, C, H, H), and move their masks (N, H, H) with them.

    ``draw`` holds a row of ``draws`` for each sample.
    """
    draw = draw.to(images.device)
    return _shade(_moved(images, draw), draw), _moved(masks[:, None], draw)[:, 0]


def _moved(pixels: Tensor, draw: Tensor) -> Tensor:
    """One of the eight symmetries for each sample, by the first three numbers of its row."""
    chosen = (draw[:, :3] < 0.5).view(-1, 3, 1, 1, 1)
    pixels = torch.where(chosen[:, 0], pixels.flip(-1), pixels)
    pixels = torch.where(chosen[:, 1], pixels.flip(-2), pixels)
    return torch.where(chosen[:, 2], pixels.transpose(-1, -2), pixels)


def _shade(images: Tensor, draw: Tensor) -> Tensor:
    """Contrast by a factor of 0.75 to 1.33, brightness by up to 0.3 standard deviations, from the next two numbers."""
    contrast = 0.75 ** (2 * draw[:, 3] - 1)
    brightness = 0.6 * (draw[:, 4] - 0.5)
    return images * contrast.view(-1, 1, 1, 1) + brightness.view(-1, 1, 1, 1)
