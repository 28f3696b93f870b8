"""Training one network: the loop, what it learns, and the checkpoint from which it goes on."""

from nestbench.train.checkpoint import Keeper
from nestbench.train.loop import Lesson, fit
from nestbench.train.objects import object_gradients, objects_lesson
from nestbench.train.steps import Gradients, Loss, gradients, masks_lesson, total_loss, training_step, validate

__all__ = [
    "Gradients",
    "Keeper",
    "Lesson",
    "Loss",
    "fit",
    "gradients",
    "masks_lesson",
    "object_gradients",
    "objects_lesson",
    "total_loss",
    "training_step",
    "validate",
]
