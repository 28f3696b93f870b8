"""Training one network: a generator of epochs. Whoever drives it stops by not asking for the next one."""

import copy
import math
import time
from collections.abc import Callable, Generator

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

from nestbench.datasets.feed import Feed, batches, training_batches
from nestbench.errors import RunError
from nestbench.evaluate import at_once, forward, output
from nestbench.machine import Plan
from nestbench.metrics import confusion
from nestbench.model import AnyNetwork
from nestbench.results.records import Epoch
from nestbench.results.scores import iou
from nestbench.study.schema import Recipe

Loss = Callable[[Tensor, Tensor], Tensor]


def fit(
    model: AnyNetwork, training: Feed, validation: Feed, recipe: Recipe, loss: Loss, seed: int, plan: Plan
) -> Generator[Epoch, None, None]:
    """Train ``model`` in place, an epoch at each step of the generator, until patience or epochs run out.

    The order of samples, their augmentation and dropout are functions of (seed, epoch) alone. When the generator
    ends or is closed, the model holds the weights of its best epoch by validation IoU.
    Raises RunError where the loss is no longer a finite number.
    """
    optimiser = torch.optim.AdamW(
        model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    rate = LearningRate(optimiser, recipe, steps=-(-len(training) // recipe.batch))
    best, best_epoch, kept = -1.0, -1, model.state_dict()
    try:
        for index in range(recipe.epochs):
            start = time.perf_counter()
            torch.manual_seed((seed << 32) + index)
            train_loss = _epoch(model, training, recipe, loss, (seed, index), plan, optimiser, rate)
            validation_loss, iou = validate(model, validation, loss, plan)
            _finite(validation_loss, "validation", index)
            rate.after_epoch(iou)
            better = iou > best
            if better:
                best, best_epoch, kept = iou, index, copy.deepcopy(model.state_dict())
            yield Epoch(index, train_loss, validation_loss, iou, better, time.perf_counter() - start)
            if index - best_epoch >= recipe.patience:
                return
    finally:
        model.load_state_dict(kept)


def total_loss(model: AnyNetwork, images: Tensor, masks: Tensor, loss: Loss, plan: Plan) -> Tensor:
    """Sum of the loss over the heads, all weights 1 (arXiv 1912.05074, equation 4), in float32."""
    with plan.autocast():
        logits = model(plan.arrange(images))
    return torch.stack([loss(head.float(), masks) for head in logits.values()]).sum()


def training_step(
    model: AnyNetwork, images: Tensor, masks: Tensor, loss: Loss, plan: Plan, optimiser: torch.optim.Optimizer
) -> Tensor:
    """Take one step down the gradient and return the loss before it, without waiting for the device."""
    value = total_loss(model, images, masks, loss, plan)
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(value)
    optimiser.step()
    return value.detach()


def _epoch(
    model: AnyNetwork,
    data: Feed,
    recipe: Recipe,
    loss: Loss,
    position: tuple[int, int],
    plan: Plan,
    optimiser: torch.optim.Optimizer,
    rate: "LearningRate",
) -> float:
    """One pass over the training set; the mean loss over its images and the heads."""
    model.train()
    total = torch.zeros((), device=plan.device)
    for images, masks in training_batches(data, recipe.batch, *position, augmented=recipe.augment):
        total += training_step(model, images, masks, loss, plan, optimiser) * len(images)
        rate.after_step()
    mean = float(total) / len(data) / len(model.spec.heads)
    return _finite(mean, "training", position[1])


def _finite(loss: float, side: str, epoch: int) -> float:
    if not math.isfinite(loss):
        raise RunError(f"the {side} loss became {loss} in epoch {epoch + 1}")
    return loss


def validate(model: AnyNetwork, data: Feed, loss: Loss, plan: Plan) -> tuple[float, float]:
    """Mean loss over heads and windows, and mean foreground IoU over cases of the primary output."""
    model.eval()
    losses, tallies, windows = [], None, 0
    for cases, images, masks in batches(data, at_once(data.window)):
        logits = forward(model, images, plan)
        losses.append(torch.stack([loss(head, masks) for head in logits.values()]).mean() * len(masks))
        windows += len(masks)
        counts = torch.stack(confusion(output(logits, model.spec.primary), masks)[:3]).cpu()
        tallies = counts.new_zeros(3, len(data.spaces), counts.shape[-1]) if tallies is None else tallies
        tallies.index_add_(1, cases, counts)
    assert tallies is not None, "every side has a case"
    scores = iou(*tallies.double().numpy())
    return float(torch.stack(losses).sum()) / windows, float(scores.mean())


class LearningRate:
    """The recipe's schedule: told of each step and of each epoch's validation IoU, it sets the optimiser's rate."""

    def __init__(self, optimiser: torch.optim.Optimizer, recipe: Recipe, steps: int) -> None:
        self._cosine = self._plateau = None
        if recipe.schedule == "cosine":
            self._cosine = CosineAnnealingLR(optimiser, T_max=recipe.epochs * steps)
        if recipe.schedule == "plateau":
            # PyTorch counts the epochs that are endured, so the fall comes at one more. Threshold 0: what counts as
            # better here is what counts as better for early stopping.
            endured = max(recipe.patience // 2 - 1, 0)
            self._plateau = ReduceLROnPlateau(optimiser, "max", factor=0.2, patience=endured, threshold=0.0)

    def after_step(self) -> None:
        """One optimiser step was taken."""
        if self._cosine:
            self._cosine.step()

    def after_epoch(self, validation_iou: float) -> None:
        """One epoch ended with this mean IoU on validation."""
        if self._plateau:
            self._plateau.step(validation_iou)
