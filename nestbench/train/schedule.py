"""The learning rate over a run."""

from typing import Any

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

from nestbench.study.schema import Recipe


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

    def state(self) -> dict[str, Any]:
        """Where the schedule is, as plain numbers."""
        scheduler = self._cosine or self._plateau
        return scheduler.state_dict() if scheduler else {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a ``state``."""
        scheduler = self._cosine or self._plateau
        if scheduler:
            scheduler.load_state_dict(state)
