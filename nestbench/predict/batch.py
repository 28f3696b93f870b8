"""Many images, one after the other: what is wrong with one does not stop the others."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nestbench.engine import Engine
from nestbench.errors import RequestError
from nestbench.find import Finder
from nestbench.instances.ways import Least, Way
from nestbench.model.files import UNSAID, Use
from nestbench.predict.images import Taken, space_of, take, write_mask, write_probabilities
from nestbench.predict.masks import decided, predict_probabilities
from nestbench.predict.objects import predict_objects
from nestbench.predict.tasks import Task, misfit
from nestbench.windows import OVERLAP

MOST_OBJECTS = 65_535
"""What a file of 16 bits can number."""

Manner = dict[str, Any]
"""How an image is shown to a network: options of ``predict_probabilities`` and ``predict_objects``."""


@dataclass(frozen=True)
class Done:
    """What has become of one task."""

    task: Task
    pixels: tuple[int, ...] = ()
    """Pixels of each class in the mask, the background first; of background and objects where these are told apart."""
    objects: int | None = None
    """Objects in the mask, where they are told apart."""
    reason: str = ""
    """Why there is no mask; empty where there is one."""


def predict_files(
    network: Engine | Finder,
    tasks: Iterable[Task],
    about: Use = UNSAID,
    window: int | None = None,
    overlap: float = OVERLAP,
) -> Iterator[Done]:
    """Predict each image as training saw its images, and write its files.

    Where training told objects apart (``about.apart``), a mask holds the number of each pixel's object.
    ``window`` and ``overlap`` are those of ``predict_probabilities``.
    """
    for task in tasks:
        try:
            done = _predict(network, task, about, window, overlap)
        except Exception as error:  # a decoder and an encoder of anybody's may raise anything
            yield Done(task, reason=_reason(task, error))
        else:
            yield done


def _predict(network: Engine | Finder, task: Task, about: Use, window: int | None, overlap: float) -> Done:
    if reason := misfit(task, network.spec):
        raise RequestError(reason)
    taken = take(task.source, network.spec.in_channels, about, task.others)
    space = space_of(taken, task.source, about, network.spec.dims)
    manner: Manner = {"size": space, "window": window, "overlap": overlap}
    manner |= {"windowed": about.window is not None, "patch": about.patch}
    if isinstance(network, Finder) or about.apart is not None:
        return _objects(network, task, taken, about.apart or Least(), manner)
    return _classes(network, task, taken, manner)


def _classes(engine: Engine, task: Task, taken: Taken, manner: Manner) -> Done:
    probability = predict_probabilities(engine, taken.pixels, **manner)
    mask = decided(probability)
    if task.probabilities is not None:
        write_probabilities(probability, task.probabilities, taken.grid, task.mask)
    write_mask(mask, task.mask, taken.grid)
    return Done(task, tuple(np.bincount(mask.ravel(), minlength=len(probability)).tolist()))


def _objects(network: Engine | Finder, task: Task, taken: Taken, way: Way, manner: Manner) -> Done:
    labels = predict_objects(network, taken.pixels, way, **manner)
    highest = int(labels.max())
    if highest > MOST_OBJECTS:
        raise RequestError(f"it has {highest:,} objects, and a mask holds at most {MOST_OBJECTS:,}")
    write_mask(labels.astype(np.uint16), task.mask, taken.grid)
    pixels = np.bincount(labels.ravel())
    inside = int(pixels[1:].sum())
    # In an image smaller than training saw them, small objects may have no pixel left.
    return Done(task, (labels.size - inside, inside), int(np.count_nonzero(pixels[1:])))


def _reason(task: Task, error: Exception) -> str:
    """One line that names the file."""
    said = " ".join((str(error) if isinstance(error, RequestError) else f"{type(error).__name__}: {error}").split())
    return said if str(task.source) in said else f"cannot predict '{task.source}': {said}"
