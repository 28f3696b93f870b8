"""From images to objects, by a network that finds them one by one."""

import numpy as np
import torch
from torch import Tensor

from nestbench.instances.detected import Detected, from_labels, from_masks
from nestbench.machine import Plan
from nestbench.model import Detector
from nestbench.model.detector import LEAST

SURE = 0.5
"""Score from which an object counts while a network is trained."""


@torch.no_grad()
def find(model: Detector, images: Tensor, plan: Plan, least: float = LEAST) -> list[Detected]:
    """The objects in each standardised image (N, C, H, W) with a score above ``least``; they may overlap."""
    model.eval()
    with plan.autocast():
        found = model(plan.arrange(images), least)
    return [from_masks((one["masks"][:, 0] >= 0.5).cpu().numpy(), one["scores"].float().cpu().numpy()) for one in found]


def confident(found: Detected, least: float) -> Detected:
    """The objects with a score of at least ``least``; a pixel that several have is left to the surest.

    The Data Science Bowl and panoptic quality ask for objects that do not overlap.
    """
    kept = int((found.scores >= least).sum())
    sure = Detected(found.shape, found.pixels[:kept], found.scores[:kept])
    labels = sure.labels
    left = np.unique(labels[labels > 0])
    return from_labels(labels, sure.scores[left - 1])
