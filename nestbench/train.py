"""Training one network: a generator of epochs. Whoever drives it stops by not asking for the next one."""

import copy
import math
import time
from collections.abc import Callable, Generator

import torch
from torch import Tensor

from nestbench.datasets.feed import Feed, training_batches
from nestbench.errors import RunError
from nestbench.evaluate import mean_iou, outputs, predict
from nestbench.machine import Plan
from nestbench.model.network import Network
from nestbench.results.records import Epoch
from nestbench.study.schema import Recipe

Loss = Callable[[Tensor, Tensor], Tensor]


def fit(
    model: Network, training: Feed, validation: Feed, recipe: Recipe, loss: Loss, seed: int, plan: Plan
) -> Generator[Epoch, None, None]:
    """Train ``model`` in place, an epoch at each step of the generator, until patience or epochs run out.

    The order of samples, their augmentation and dropout are functions of (seed, epoch) alone. When the generator
    ends or is closed, the model holds the weights of its best epoch by validation IoU.
    Raises RunError where the loss is no longer a finite number.
    """
    optimiser = torch.optim.AdamW(
        model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = _schedule(optimiser, recipe, steps=-(-len(training) // recipe.batch))
    best, best_epoch, kept = -1.0, -1, model.state_dict()
    try:
        for index in range(recipe.epochs):
            start = time.perf_counter()
            torch.manual_seed((seed << 32) + index)
            train_loss = _epoch(model, training, recipe, loss, (seed, index), plan, optimiser, schedule)
            validation_loss, iou = _validate(model, validation, loss, plan)
            _finite(validation_loss, "validation", index)
            better = iou > best
            if better:
                best, best_epoch, kept = iou, index, copy.deepcopy(model.state_dict())
            yield Epoch(index, train_loss, validation_loss, iou, better, time.perf_counter() - start)
            if index - best_epoch >= recipe.patience:
                return
    finally:
        model.load_state_dict(kept)


def total_loss(model: Network, images: Tensor, masks: Tensor, loss: Loss, plan: Plan) -> Tensor:
    """Sum of the loss over the heads, all weights 1 (arXiv 1912.05074, equation 4), in float32."""
    with plan.autocast():
        logits = model(images.contiguous(memory_format=plan.torch_format))
    return torch.stack([loss(head.float(), masks) for head in logits.values()]).sum()


def training_step(
    model: Network, images: Tensor, masks: Tensor, loss: Loss, plan: Plan, optimiser: torch.optim.Optimizer
) -> Tensor:
    """Take one step down the gradient and return the loss before it, without waiting for the device."""
    value = total_loss(model, images, masks, loss, plan)
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(value)
    optimiser.step()
    return value.detach()


def _epoch(
    model: Network,
    data: Feed,
    recipe: Recipe,
    loss: Loss,
    position: tuple[int, int],
    plan: Plan,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> float:
    """One pass over the training set; the mean loss over its images and the heads."""
    model.train()
    total = torch.zeros((), device=plan.device)
    for images, masks in training_batches(data, recipe.batch, *position, augmented=recipe.augment):
        total += training_step(model, images, masks, loss, plan, optimiser) * len(images)
        schedule.step()
    mean = float(total) / len(data) / len(model.spec.topology.heads)
    return _finite(mean, "training", position[1])


def _finite(loss: float, side: str, epoch: int) -> float:
    if not math.isfinite(loss):
        raise RunError(f"the {side} loss became {loss} in epoch {epoch + 1}")
    return loss


def _validate(model: Network, data: Feed, loss: Loss, plan: Plan) -> tuple[float, float]:
    """Mean loss over heads and batches, and mean IoU over cases of the primary output."""
    losses, ious = [], []
    for logits, masks in predict(model, data, plan):
        losses.append(torch.stack([loss(head, masks) for head in logits.values()]).mean() * len(masks))
        ious.append(mean_iou(outputs(logits)[model.spec.topology.primary], masks))
    return float(torch.stack(losses).sum()) / len(data), float(torch.cat(ious).mean())


def _schedule(optimiser: torch.optim.Optimizer, recipe: Recipe, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    if recipe.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=recipe.epochs * steps)
    return torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
