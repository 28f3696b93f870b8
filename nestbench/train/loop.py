"""Training one network: a generator of epochs. Whoever drives it stops by not asking for the next one."""

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nestbench.datasets.batches import training_batches
from nestbench.datasets.feed import Batch, Feed
from nestbench.errors import RunError
from nestbench.machine import Plan
from nestbench.model import AnyNetwork
from nestbench.results.records import Epoch
from nestbench.study.schema import Recipe
from nestbench.train.checkpoint import Keeper
from nestbench.train.course import Course

Pause = Callable[[], None]
"""Called between two steps."""
Step = Callable[[AnyNetwork, Tensor, Tensor, torch.optim.Optimizer], Tensor]
"""One step down the gradient, by images (N, C, *space) and their truth (N, *space); gives the loss before it."""
Validate = Callable[[AnyNetwork, Pause], tuple[float, float]]
"""Mean loss on the validation side, and the score there by which epochs are compared (0 to 1)."""


@dataclass(frozen=True)
class Lesson:
    """What a network is trained on, and how. What is learnt, masks or objects, is in the two functions."""

    training: Feed
    recipe: Recipe
    seed: int
    plan: Plan
    step: Step
    validate: Validate


def fit(model: AnyNetwork, lesson: Lesson, keeper: Keeper | None = None) -> Generator[Epoch, None, None]:
    """Train ``model`` in place, an epoch at each step of the generator, until patience or epochs run out.

    The order of samples, their augmentation and dropout are functions of (seed, epoch) alone. Where ``keeper`` has a
    checkpoint, the epochs that it holds come at once, and training goes on from it as if it had never stopped, to the
    bit on one machine. When the generator ends or is closed, the model holds the weights of its best epoch by
    the validation score.
    Raises RunError where the loss is no longer a finite number, StoppedError where the keeper asks to stop.
    """
    course = Course(model, lesson.recipe, -(-len(lesson.training) // lesson.recipe.batch), lesson.plan.device)
    if keeper:
        keeper.resume(course)
    try:
        yield from tuple(course.epochs)
        while not _ended(course, lesson.recipe):
            course.end_epoch(_epoch(course, lesson, keeper))
            if keeper and _ended(course, lesson.recipe):  # who stops in the test that comes then has it to go on from
                keeper.keep(course)
            yield course.epochs[-1]
    finally:
        model.load_state_dict(course.best)


def _ended(course: Course, recipe: Recipe) -> bool:
    if not course.epochs:
        return False
    best = max(epoch.index for epoch in course.epochs if epoch.best)
    return len(course.epochs) == recipe.epochs or course.epochs[-1].index - best >= recipe.patience


def _epoch(course: Course, lesson: Lesson, keeper: Keeper | None) -> Epoch:
    """One pass over the training side and one over the validation side."""
    began, index = time.perf_counter() - course.seconds, len(course.epochs)

    def pause() -> None:
        if keeper:
            keeper.pause(course, time.perf_counter() - began)

    def pause_look() -> None:
        if keeper:  # a look that is stopped is made again, whole
            keeper.pause(course, trained - began)

    course.settle_random(lesson.seed)
    behind = course.steps
    _pass(course, lesson, pause)
    if keeper and course.steps > behind:
        keeper.trained = True
    train_loss = float(course.loss) / len(lesson.training) / len(course.model.spec.heads)
    _finite(train_loss, "training", index)
    trained = time.perf_counter()  # nothing is pending on a GPU: the loss was read
    validation_loss, score = lesson.validate(course.model, pause_look)
    validating = time.perf_counter() - trained
    _finite(validation_loss, "validation", index)
    course.rate.after_epoch(score)
    better = score > max((epoch.validation_iou for epoch in course.epochs), default=-1.0)
    seconds = time.perf_counter() - began
    return Epoch(index, train_loss, validation_loss, score, better, seconds, course.feeding, validating)


def _pass(course: Course, lesson: Lesson, pause: Pause) -> None:
    """The steps of an epoch that are still to be taken."""
    course.model.train()
    recipe, position = lesson.recipe, (lesson.seed, len(course.epochs))
    batches = training_batches(lesson.training, recipe.batch, *position, augmented=recipe.augment, start=course.steps)
    for images, masks in _awaited(batches, course):
        course.loss += lesson.step(course.model, images, masks, course.optimiser) * len(images)
        course.rate.after_step()
        course.steps += 1
        pause()


def _awaited(batches: Iterator[Batch], course: Course) -> Iterator[Batch]:
    """The batches, adding up how long each was waited for."""
    while True:
        asked = time.perf_counter()
        batch = next(batches, None)
        if course.feeding is not None:
            course.feeding += time.perf_counter() - asked
        if batch is None:
            return
        yield batch


def _finite(loss: float, side: str, epoch: int) -> None:
    if not math.isfinite(loss):
        raise RunError(f"the {side} loss became {loss} in epoch {epoch + 1}")
