"""Counts of pixels from a network's probabilities; every metric is derived from them in ``results.scores``.

Images are (N, K, H, W); volumes have a D before H.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from nestbench.results.scores import THRESHOLDS


class Counts(NamedTuple):
    """Pixels of each case and foreground class, int64: (N, classes), and (N, classes, thresholds) for the last two."""

    tp: Tensor
    fp: Tensor
    fn: Tensor
    tn: Tensor
    tp_at: Tensor
    fp_at: Tensor


def probabilities(logits: Tensor) -> Tensor:
    """Probabilities of all classes, background first: (N, K, H, W) with K >= 2, float32."""
    if logits.shape[1] > 1:
        return logits.float().softmax(dim=1)
    foreground = logits.float().sigmoid()
    return torch.cat([1 - foreground, foreground], dim=1)


def decide(probability: Tensor) -> Tensor:
    """Class index of each pixel (N, H, W): p >= 0.5 for two classes, the most probable for more."""
    return (probability[:, 1] >= 0.5).long() if probability.shape[1] == 2 else probability.argmax(dim=1)


def count(probability: Tensor, target: Tensor) -> Counts:
    """Count each case's pixels by foreground class, against class indices (N, H, W)."""
    classes = torch.arange(1, probability.shape[1], device=probability.device)
    classes = classes.view(1, -1, *(1,) * (target.dim() - 1))
    true = target[:, None] == classes
    chosen = decide(probability)[:, None] == classes
    tp, fp = _sum(chosen & true), _sum(chosen & ~true)
    at = [probability[:, 1:] >= percent / 100 for percent in THRESHOLDS]
    return Counts(
        tp=tp,
        fp=fp,
        fn=_sum(~chosen & true),
        tn=_sum(~chosen & ~true),
        tp_at=torch.stack([_sum(a & true) for a in at], dim=-1),
        fp_at=torch.stack([_sum(a & ~true) for a in at], dim=-1),
    )


def _sum(pixels: Tensor) -> Tensor:
    return pixels.flatten(2).sum(dim=2)
