"""Learning masks: one step down the gradient, and one look at the validation side."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from nestbench.datasets.batches import batches
from nestbench.datasets.feed import Feed
from nestbench.evaluate import at_once, output
from nestbench.machine import Plan
from nestbench.metrics import confusion
from nestbench.model import Answer, AnyNetwork, answering
from nestbench.results.scores import iou
from nestbench.study.schema import Recipe
from nestbench.train.loop import Lesson, Pause

Loss = Callable[[Tensor, Tensor], Tensor]
Gradients = Callable[[Tensor, Tensor], Tensor]
"""From images and masks to their loss; the gradients are then those of the batch."""


def masks_lesson(
    training: Feed, validation: Feed, recipe: Recipe, loss: Loss, seed: int, plan: Plan, parts: int = 1
) -> Lesson:
    """Learn the class of each pixel; epochs are compared by the mean foreground IoU of the primary output.

    A batch passes through the network in so many ``parts``, whose gradients are added up: less memory for the same
    step, but for batch norm and Dice, which see a part where they would see the batch.
    """

    @cache
    def ready(model: AnyNetwork) -> tuple[Gradients, Answer]:
        return gradients(model, loss, plan, parts), answering(model, plan)

    def step(model: AnyNetwork, images: Tensor, masks: Tensor, optimiser: torch.optim.Optimizer) -> Tensor:
        return training_step(ready(model)[0], optimiser, images, masks)

    def look(model: AnyNetwork, pause: Pause) -> tuple[float, float]:
        return validate(model, ready(model)[1], validation, loss, pause)

    return Lesson(training, recipe, seed, plan, step, look)


def total_loss(model: AnyNetwork, images: Tensor, masks: Tensor, loss: Loss, plan: Plan) -> Tensor:
    """Sum of the loss over the heads, all weights 1 (arXiv 1912.05074, equation 4), in float32."""
    with plan.autocast():
        logits = model(plan.arrange(images))
    return torch.stack([loss(head.float(), masks) for head in logits.values()]).sum()


def gradients(model: AnyNetwork, loss: Loss, plan: Plan, parts: int = 1) -> Gradients:
    """Make ready, once for a training, what leaves a batch's gradients in the network and returns its loss.

    The batch passes through the network in so many ``parts``, of two images at least, for batch norm; the loss is
    their mean, weighted by their images.
    """

    def work(images: Tensor, masks: Tensor) -> tuple[Tensor, ...]:
        return (in_parts(lambda some, truth: total_loss(model, some, truth, loss, plan), images, masks, parts),)

    ready = plan.often(model, work)
    return lambda images, masks: ready(images, masks)[0]


def in_parts(loss_of: Loss, images: Tensor, truth: Tensor, parts: int) -> Tensor:
    """Leave the gradients of a batch's loss where they belong, part by part, and return the loss."""
    total = torch.zeros((), device=images.device)
    pieces = min(parts, max(1, len(images) // 2))
    for some, true in zip(images.tensor_split(pieces), truth.tensor_split(pieces), strict=True):
        value = loss_of(some, true)
        if pieces > 1:
            value = value * (len(some) / len(images))
        torch.autograd.backward(value)
        total += value.detach()
    return total


def training_step(gradients: Gradients, optimiser: torch.optim.Optimizer, images: Tensor, masks: Tensor) -> Tensor:
    """Take one step down the gradient and return the loss before it, without waiting for the device."""
    optimiser.zero_grad(set_to_none=True)
    value = gradients(images, masks)
    optimiser.step()
    return value


def validate(
    model: AnyNetwork, answer: Answer, data: Feed, loss: Loss, pause: Pause = lambda: None
) -> tuple[float, float]:
    """Mean loss over heads and windows, and mean foreground IoU over cases of the primary output.

    Windows lie side by side, which is half of the passes of ``evaluate.judge`` along each axis, and each pixel of a
    case counts once in its IoU. The loss is that of training: over windows as a network sees them. ``pause`` is called
    after each batch; ``answer`` is what ``model.answering`` made ready.
    """
    model.eval()
    losses, tallies, windows = [], None, 0
    for cases, images, masks, own in batches(data, at_once(data.window)):
        logits = answer(images)
        losses.append(torch.stack([loss(head, masks) for head in logits.values()]).mean() * len(masks))
        windows += len(masks)
        counts = torch.stack(confusion(output(logits, model.spec.primary), masks, own)[:3]).cpu()
        tallies = counts.new_zeros(3, len(data.spaces), counts.shape[-1]) if tallies is None else tallies
        tallies.index_add_(1, cases, counts)
        pause()
    assert tallies is not None, "every side has a case"
    scores = iou(*tallies.double().numpy())
    return float(torch.stack(losses).sum()) / windows, float(scores.mean())
