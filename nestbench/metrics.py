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


class Confusion(NamedTuple):
    """Pixels of each case and foreground class at the network's decision, int64: (N, classes)."""

    tp: Tensor
    fp: Tensor
    fn: Tensor
    tn: Tensor


def confusion(probability: Tensor, target: Tensor, counted: Tensor | None = None) -> Confusion:
    """Count each case's pixels by foreground class, against class indices (N, *space).

    ``counted`` (N, *space), bool: which pixels count; None for all.
    """
    true, chosen = _is_class(target, probability), _is_class(decide(probability), probability)
    counted = torch.ones_like(target, dtype=torch.bool) if counted is None else counted
    here = counted[:, None]
    tp, positive, found, pixels = (_sum(part) for part in (chosen & true & here, true & here, chosen & here, here))
    return Confusion(tp=tp, fp=found - tp, fn=positive - tp, tn=pixels - positive - found + tp)


def count(probability: Tensor, target: Tensor) -> Counts:
    """Count as ``confusion`` does, and at each threshold of the probability too."""
    true = _is_class(target, probability)
    at = [probability[:, 1:] >= percent / 100 for percent in THRESHOLDS]
    tp_at = torch.stack([_sum(a & true) for a in at], dim=-1)
    found = torch.stack([_sum(a) for a in at], dim=-1)
    return Counts(*confusion(probability, target), tp_at=tp_at, fp_at=found - tp_at)


def _is_class(labels: Tensor, probability: Tensor) -> Tensor:
    """Whether each pixel is of each foreground class: (N, classes, *space)."""
    classes = torch.arange(1, probability.shape[1], device=labels.device)
    return labels[:, None] == classes.view(1, -1, *(1,) * (labels.dim() - 1))


def _sum(pixels: Tensor) -> Tensor:
    return pixels.flatten(2).sum(dim=2)
