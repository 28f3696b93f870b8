"""Learning objects: one step of Mask R-CNN down its gradient, and one look at the validation side."""

from functools import cache
from typing import cast

import numpy as np
import torch
from torch import Tensor

from nestbench.datasets.batches import batches
from nestbench.datasets.feed import Feed
from nestbench.evaluate import at_once
from nestbench.find import PROPOSED, confident, find
from nestbench.instances.count import score
from nestbench.instances.ways import SURE
from nestbench.machine import Plan
from nestbench.model import AnyNetwork, Detector
from nestbench.model.detector import Targets
from nestbench.study.schema import Recipe
from nestbench.train.loop import Lesson, Pause
from nestbench.train.steps import Gradients, in_parts, training_step


def objects_lesson(training: Feed, validation: Feed, recipe: Recipe, seed: int, plan: Plan, parts: int = 1) -> Lesson:
    """Learn the objects of feeds whose masks are numbers of objects; epochs are compared by the mean Score.

    ``parts`` as in ``masks_lesson``.
    """

    @cache
    def ready(model: AnyNetwork) -> Gradients:
        return object_gradients(cast(Detector, model), plan, parts)

    def step(model: AnyNetwork, images: Tensor, labels: Tensor, optimiser: torch.optim.Optimizer) -> Tensor:
        return training_step(ready(model), optimiser, images, labels)

    def look(model: AnyNetwork, pause: Pause) -> tuple[float, float]:
        return validate_objects(cast(Detector, model), validation, plan, pause)

    return Lesson(training, recipe, seed, plan, step, look)


def object_gradients(model: Detector, plan: Plan, parts: int = 1) -> Gradients:
    """What leaves the gradients of a batch and its label maps in the network and returns its loss.

    It is not replayed: its shapes follow what is found.
    """

    def loss(images: Tensor, labels: Tensor) -> Tensor:
        return objects_loss(model, images, labels, plan)

    return lambda images, labels: in_parts(loss, images, labels, parts)


def targets(labels: Tensor) -> Targets:
    """The objects of a label map (H, W), 0 = background; numbers may be missing, and an object may be in pieces."""
    height, width = labels.shape
    numbers, rank = torch.unique(labels, return_inverse=True)
    rank = rank.flatten()
    rows = torch.arange(height, device=labels.device).repeat_interleave(width)
    columns = torch.arange(width, device=labels.device).repeat(height)
    ends = [
        torch.zeros(len(numbers), dtype=torch.int64, device=labels.device).scatter_reduce(
            0, rank, places, which, include_self=False
        )
        for which, places in (("amin", columns), ("amin", rows), ("amax", columns + 1), ("amax", rows + 1))
    ]
    real = numbers > 0
    return {
        "boxes": torch.stack(ends, dim=1)[real].float(),
        "labels": torch.ones(int(real.sum()), dtype=torch.int64, device=labels.device),
        "masks": (labels == numbers[real][:, None, None]).view(torch.uint8),  # a copy of 1,500 would be as much again
    }


def objects_loss(model: Detector, images: Tensor, labels: Tensor, plan: Plan) -> Tensor:
    """Sum of Mask R-CNN's five losses, all weights 1 (arXiv 1703.06870), for label maps (N, H, W)."""
    with plan.autocast():
        losses = model.losses(plan.arrange(images), [targets(one) for one in labels])
    return torch.stack([value.float() for value in losses.values()]).sum()


@torch.no_grad()
def validate_objects(model: Detector, data: Feed, plan: Plan, pause: Pause = lambda: None) -> tuple[float, float]:
    """Mean loss over windows, and mean Score over windows of what the network is sure of (``instances.ways.SURE``).

    Which regions the loss is taken of is the same in every epoch. ``pause`` is called after each batch.
    """
    model.eval()
    losses, scores = [], []
    for number, (_, images, labels, _) in enumerate(batches(data, at_once(data.window))):
        with torch.random.fork_rng(devices=[images.device] if images.is_cuda else []):
            torch.manual_seed(number)
            losses.append(objects_loss(model, images, labels, plan) * len(images))
        for true, found in zip(labels.int().cpu().numpy(), find(model, images, plan, SURE, PROPOSED), strict=True):
            scores.append(score(true, confident(found, SURE)))
        pause()
    return float(torch.stack(losses).sum()) / len(scores), float(np.mean(scores))
