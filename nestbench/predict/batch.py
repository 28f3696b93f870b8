"""Many images, one after the other: what is wrong with one does not stop the others."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from nestbench.engine import Engine
from nestbench.errors import RequestError
from nestbench.model.files import UNSAID, Use
from nestbench.predict.images import space_of, take, write_mask, write_probabilities
from nestbench.predict.masks import decided, predict_probabilities
from nestbench.predict.tasks import Task, misfit
from nestbench.windows import OVERLAP


@dataclass(frozen=True)
class Done:
    """What has become of one task."""

    task: Task
    pixels: tuple[int, ...] = ()
    """Pixels of each class in the mask, the background first."""
    reason: str = ""
    """Why there is no mask; empty where there is one."""


def predict_files(
    engine: Engine,
    tasks: Iterable[Task],
    about: Use = UNSAID,
    window: int | None = None,
    overlap: float = OVERLAP,
) -> Iterator[Done]:
    """Predict each image as training saw its images, and write its files.

    ``window`` and ``overlap`` are those of ``predict_probabilities``.
    """
    for task in tasks:
        try:
            pixels = _predict(engine, task, about, window, overlap)
        except Exception as error:  # a decoder and an encoder of anybody's may raise anything
            yield Done(task, reason=_reason(task, error))
        else:
            yield Done(task, pixels)


def _predict(engine: Engine, task: Task, about: Use, window: int | None, overlap: float) -> tuple[int, ...]:
    if reason := misfit(task, engine.spec):
        raise RequestError(reason)
    taken = take(task.source, engine.spec.in_channels, about, task.others)
    space = space_of(taken, task.source, about, engine.spec.dims)
    probability = predict_probabilities(
        engine, taken.pixels, space, window, overlap, windowed=about.window is not None, patch=about.patch
    )
    mask = decided(probability)
    if task.probabilities is not None:
        write_probabilities(probability, task.probabilities, taken.grid, task.mask)
    write_mask(mask, task.mask, taken.grid)
    return tuple(np.bincount(mask.ravel(), minlength=len(probability)).tolist())


def _reason(task: Task, error: Exception) -> str:
    """One line that names the file."""
    said = " ".join((str(error) if isinstance(error, RequestError) else f"{type(error).__name__}: {error}").split())
    return said if str(task.source) in said else f"cannot predict '{task.source}': {said}"
