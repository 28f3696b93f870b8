"""Feeding: a side of a prepared data set on the device as bytes, and its batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nestbench.datasets.augment import augment, draws
from nestbench.datasets.prepared import Prepared


@dataclass(frozen=True)
class Feed:
    """Images (N, C, H, W) and masks (N, H, W) of one side of a split, uint8, on the device."""

    images: Tensor
    masks: Tensor

    def __len__(self) -> int:
        return len(self.images)


def feed(prepared: Prepared, side: Sequence[int], device: str) -> Feed:
    """Copy one side of a split to the device."""
    index = np.asarray(side, dtype=np.int64)
    images = torch.from_numpy(np.ascontiguousarray(prepared.images[index].transpose(0, 3, 1, 2)))
    return Feed(images.to(device), torch.from_numpy(prepared.masks[index]).to(device))


def standardise(images: Tensor) -> Tensor:
    """Bring each image (N, C, H, W) to mean 0 and standard deviation 1 over all its pixels and channels, float32.

    Microscopes and scanners differ in gain and offset from image to image; an even image becomes zeros.
    """
    values = images.float()
    deviation, mean = torch.std_mean(values, dim=(1, 2, 3), keepdim=True, correction=0)
    return (values - mean) / deviation.clamp_min(1.0)


def training_batches(data: Feed, batch: int, seed: int, epoch: int, augmented: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of standardised, augmented images and masks (int64), in an order that is a function of (seed, epoch).

    Their sizes differ by one at most: a last batch of a single image would upset batch norm.
    """
    order = np.random.Generator(np.random.Philox(key=[seed, epoch], counter=1 << 64)).permutation(len(data))
    draw = draws(seed, epoch, len(data))
    for part in np.array_split(order, -(-len(data) // batch)):
        index = torch.from_numpy(part)
        images, masks = standardise(data.images[index]), data.masks[index]
        if augmented:
            images, masks = augment(images, masks, draw[index])
        yield images, masks.long()


def batches(data: Feed, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of standardised images and masks (int64), in their order."""
    for images, masks in zip(torch.split(data.images, batch), torch.split(data.masks, batch), strict=True):
        yield standardise(images), masks.long()
