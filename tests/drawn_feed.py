"""Feeds made of tensors, without files."""

from collections.abc import Sequence

import torch
from torch import Tensor

from nestbench.datasets.feed import Feed
from nestbench.datasets.intensity import moments
from nestbench.datasets.source import held


def feed_of(
    images: Sequence[Tensor], masks: Sequence[Tensor], patch: int | None = None, step: int | None = None, **more: object
) -> Feed:
    """Pictures (C, H, W) or volumes (C, D, H, W), uint8, with their masks; in windows of ``patch`` or whole."""
    dims = images[0].dim() - 1
    planes = [(i, m) if dims == 3 else (i[:, None], m[None]) for i, m in zip(images, masks, strict=True)]
    spaces = [tuple(mask.shape) for _, mask in planes]
    side = patch or spaces[0][-1]
    return Feed(
        images=held([image for image, _ in planes]),
        masks=held([mask for _, mask in planes]),
        spaces=spaces,
        moments=torch.tensor([moments(image.numpy()) for image, _ in planes]),
        window=(side if dims == 3 else 1, side, side),
        dims=dims,
        step=step or side,
        **more,
    )
