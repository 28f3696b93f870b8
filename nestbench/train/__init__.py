"""Training one network: the loop, what it learns, and the checkpoint from which it goes on."""

from nestbench.train.checkpoint import Keeper
from nestbench.train.loop import Lesson, Step, fit
from nestbench.train.objects import objects_lesson, objects_step
from nestbench.train.steps import Loss, masks_lesson, masks_step, total_loss, training_step, validate

__all__ = [
    "Keeper",
    "Lesson",
    "Loss",
    "Step",
    "fit",
    "masks_lesson",
    "masks_step",
    "objects_lesson",
    "objects_step",
    "total_loss",
    "training_step",
    "validate",
]
