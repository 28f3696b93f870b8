"""Training one network: a generator of epochs. Whoever drives it stops by not asking for the next one."""

import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple

from nestbench.datasets.feed import Feed, training_batches
from nestbench.errors import RunError
from nestbench.machine import Plan
from nestbench.model import Answer, AnyNetwork, answering
from nestbench.results.records import Epoch
from nestbench.study.schema import Recipe
from nestbench.train.checkpoint import Keeper
from nestbench.train.course import Course
from nestbench.train.steps import Gradients, Loss, gradients, training_step, validate


@dataclass(frozen=True)
class Lesson:
    """What a network is trained on, and how."""

    training: Feed
    validation: Feed
    recipe: Recipe
    loss: Loss
    seed: int
    plan: Plan
    parts: int = 1
    """In how many parts a batch passes through the network, whose gradients are added up: less memory for the same
    step, but for batch norm and Dice, which see a part where they would see the batch."""


class _Ready(NamedTuple):
    """What a network does many times, made ready once."""

    gradients: Gradients
    answer: Answer


def fit(model: AnyNetwork, lesson: Lesson, keeper: Keeper | None = None) -> Generator[Epoch, None, None]:
    """Train ``model`` in place, an epoch at each step of the generator, until patience or epochs run out.

    The order of samples, their augmentation and dropout are functions of (seed, epoch) alone. Where ``keeper`` has a
    checkpoint, the epochs that it holds come at once, and training goes on from it as if it had never stopped, to the
    bit on one machine. When the generator ends or is closed, the model holds the weights of its best epoch by
    validation IoU.
    Raises RunError where the loss is no longer a finite number, StoppedError where the keeper asks to stop.
    """
    course = Course(model, lesson.recipe, -(-len(lesson.training) // lesson.recipe.batch), lesson.plan.device)
    if keeper:
        keeper.resume(course)
    ready = _Ready(gradients(model, lesson.loss, lesson.plan, lesson.parts), answering(model, lesson.plan))
    try:
        yield from tuple(course.epochs)
        while not _ended(course, lesson.recipe):
            course.end_epoch(_epoch(course, lesson, ready, keeper))
            yield course.epochs[-1]
    finally:
        model.load_state_dict(course.best)


def _ended(course: Course, recipe: Recipe) -> bool:
    if not course.epochs:
        return False
    best = max(epoch.index for epoch in course.epochs if epoch.best)
    return len(course.epochs) == recipe.epochs or course.epochs[-1].index - best >= recipe.patience


def _epoch(course: Course, lesson: Lesson, ready: _Ready, keeper: Keeper | None) -> Epoch:
    """One pass over the training side and one over the validation side."""
    began, index = time.perf_counter() - course.seconds, len(course.epochs)

    def pause() -> None:
        if keeper:
            keeper.pause(course, time.perf_counter() - began)

    course.settle_random(lesson.seed)
    _pass(course, lesson, ready.gradients, pause)
    train_loss = float(course.loss) / len(lesson.training) / len(course.model.spec.heads)
    _finite(train_loss, "training", index)
    validation_loss, iou = validate(course.model, ready.answer, lesson.validation, lesson.loss, pause)
    _finite(validation_loss, "validation", index)
    course.rate.after_epoch(iou)
    better = iou > max((epoch.validation_iou for epoch in course.epochs), default=-1.0)
    return Epoch(index, train_loss, validation_loss, iou, better, time.perf_counter() - began)


def _pass(course: Course, lesson: Lesson, down: Gradients, pause: Callable[[], None]) -> None:
    """The steps of an epoch that are still to be taken."""
    course.model.train()
    recipe, position = lesson.recipe, (lesson.seed, len(course.epochs))
    batches = training_batches(lesson.training, recipe.batch, *position, augmented=recipe.augment, start=course.steps)
    for images, masks in batches:
        value = training_step(down, course.optimiser, images, masks)
        course.loss += value * len(images)
        course.rate.after_step()
        course.steps += 1
        pause()


def _finite(loss: float, side: str, epoch: int) -> None:
    if not math.isfinite(loss):
        raise RunError(f"the {side} loss became {loss} in epoch {epoch + 1}")
