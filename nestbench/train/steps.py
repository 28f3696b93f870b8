"""Learning masks: one step down the gradient, and one look at the validation side."""

from collections.abc import Callable

import torch
from torch import Tensor

from nestbench.datasets.feed import Feed, batches
from nestbench.evaluate import at_once, forward, output
from nestbench.machine import Plan
from nestbench.metrics import confusion
from nestbench.model import AnyNetwork
from nestbench.results.scores import iou
from nestbench.study.schema import Recipe
from nestbench.train.loop import Lesson, Pause, Step

Loss = Callable[[Tensor, Tensor], Tensor]


def masks_lesson(
    training: Feed, validation: Feed, recipe: Recipe, loss: Loss, seed: int, plan: Plan, parts: int = 1
) -> Lesson:
    """Learn the class of each pixel; epochs are compared by the mean foreground IoU of the primary output.

    A batch passes through the network in so many ``parts``, whose gradients are added up: less memory for the same
    step, but for batch norm and Dice, which see a part where they would see the batch.
    """

    def look(model: AnyNetwork, pause: Pause) -> tuple[float, float]:
        return validate(model, validation, loss, plan, pause)

    return Lesson(training, recipe, seed, plan, masks_step(loss, plan, parts), look)


def masks_step(loss: Loss, plan: Plan, parts: int = 1) -> Step:
    """``training_step`` with all but the network and its batch given."""

    def step(model: AnyNetwork, images: Tensor, masks: Tensor, optimiser: torch.optim.Optimizer) -> Tensor:
        return training_step(model, images, masks, loss, plan, optimiser, parts)

    return step


def total_loss(model: AnyNetwork, images: Tensor, masks: Tensor, loss: Loss, plan: Plan) -> Tensor:
    """Sum of the loss over the heads, all weights 1 (arXiv 1912.05074, equation 4), in float32."""
    with plan.autocast():
        logits = model(plan.arrange(images))
    return torch.stack([loss(head.float(), masks) for head in logits.values()]).sum()


def training_step(
    model: AnyNetwork,
    images: Tensor,
    masks: Tensor,
    loss: Loss,
    plan: Plan,
    optimiser: torch.optim.Optimizer,
    parts: int = 1,
) -> Tensor:
    """Take one step down the gradient and return the loss before it, without waiting for the device.

    The batch passes through the network in so many ``parts``, of two images at least, for batch norm; the loss is
    their mean, weighted by their images.
    """
    return descend(lambda some, truth: total_loss(model, some, truth, loss, plan), images, masks, optimiser, parts)


def descend(loss_of: Loss, images: Tensor, truth: Tensor, optimiser: torch.optim.Optimizer, parts: int) -> Tensor:
    """Take one step down the gradient of a loss of images and their truth, summed up over so many parts of the batch.

    Returns the loss before it.
    """
    optimiser.zero_grad(set_to_none=True)
    total = torch.zeros((), device=images.device)
    pieces = min(parts, max(1, len(images) // 2))
    for some, true in zip(images.tensor_split(pieces), truth.tensor_split(pieces), strict=True):
        value = loss_of(some, true)
        if pieces > 1:
            value = value * (len(some) / len(images))
        torch.autograd.backward(value)
        total += value.detach()
    optimiser.step()
    return total


def validate(model: AnyNetwork, data: Feed, loss: Loss, plan: Plan, pause: Pause = lambda: None) -> tuple[float, float]:
    """Mean loss over heads and windows, and mean foreground IoU over cases of the primary output.

    Windows lie side by side, which is half of the passes of ``evaluate.judge`` along each axis, and each pixel of a
    case counts once in its IoU. The loss is that of training: over windows as a network sees them. ``pause`` is called
    after each batch.
    """
    model.eval()
    losses, tallies, windows = [], None, 0
    for cases, images, masks, own in batches(data, at_once(data.window)):
        logits = forward(model, images, plan)
        losses.append(torch.stack([loss(head, masks) for head in logits.values()]).mean() * len(masks))
        windows += len(masks)
        counts = torch.stack(confusion(output(logits, model.spec.primary), masks, own)[:3]).cpu()
        tallies = counts.new_zeros(3, len(data.spaces), counts.shape[-1]) if tallies is None else tallies
        tallies.index_add_(1, cases, counts)
        pause()
    assert tallies is not None, "every side has a case"
    scores = iou(*tallies.double().numpy())
    return float(torch.stack(losses).sum()) / windows, float(scores.mean())
