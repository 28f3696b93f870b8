"""Find objects: by a network that finds them one by one, or apart in the foreground that a network of classes finds.

How an output decides what is an object (a score, a ``Separation``) is chosen on the validation side, by the Score.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from nestbench.datasets.contract import Case, Labels
from nestbench.datasets.feed import Feed, standardise
from nestbench.evaluate import predict
from nestbench.instances.count import count, score
from nestbench.instances.detected import Detected, from_labels, from_pixels
from nestbench.instances.separate import METHODS, Method, Separation, candidates, choose, segment
from nestbench.instances.ways import Least, Way
from nestbench.machine import Plan
from nestbench.model import AnyNetwork, Detector, DetectorSpec, Spec
from nestbench.model.detector import LEAST, Found, pasted
from nestbench.results.instance_scores import InstanceCounts, joined

PROPOSED = 0.05
"""Score of a region from which it is looked at then: hardly one below becomes an object that counts."""

LEASTS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
"""Scores that are tried."""

Answer = Any
"""What a network says of a case: ``Detected``, objects that may overlap, or the foreground's probability (H, W)."""


@dataclass(frozen=True, eq=False)
class Objects:
    """What an output makes of an answer."""

    every: Detected
    """All, however unsure: what average precision is of."""
    sure: Detected
    """Those that it decides for; they do not overlap. What every other metric is of."""


@dataclass(frozen=True, eq=False)
class FoundCase:
    """A case, judged."""

    counts: InstanceCounts
    labels: Labels
    """(H, W), by the primary output."""


@dataclass(frozen=True)
class Finder:
    """A Mask R-CNN that is ready to answer, as an ``Engine`` is a network of classes."""

    spec: DetectorSpec
    device: str
    """Where it takes its images."""
    objects: Callable[[Tensor], Detected]
    """From a standardised image (1, C, H, W) to what is in it; objects may overlap."""


def make_finder(model: Detector, plan: Plan) -> Finder:
    """Make a network ready under a plan, which moves it to where that says, and to float32."""
    plan.place(model.float())
    return Finder(model.spec, plan.device, lambda images: find(model, images.to(plan.device), plan)[0])


@torch.no_grad()
def find(model: Detector, images: Tensor, plan: Plan, least: float = LEAST, proposed: float = 0.0) -> list[Detected]:
    """The objects in each standardised image (N, C, H, W) with a score above ``least``; they may overlap.

    ``proposed`` as in ``Detector.forward``.
    """
    model.eval()
    with plan.autocast():
        boxed = model.boxed(plan.arrange(images), least, proposed)
        return [_positions(one, *images.shape[-2:]) for one in boxed]


def confident(found: Detected, least: float) -> Detected:
    """The objects with a score of at least ``least``; a pixel that several have is left to the surest.

    The Data Science Bowl and panoptic quality ask for objects that do not overlap.
    """
    kept = int((found.scores >= least).sum())
    sure = Detected(found.shape, found.pixels[:kept], found.scores[:kept])
    labels = sure.labels
    left = np.unique(labels[labels > 0])
    return from_labels(labels, sure.scores[left - 1])


def outputs_of(spec: Spec) -> tuple[str, ...]:
    """Names of the ways in which a network's objects are told apart; it is judged by the last."""
    return spec.outputs if isinstance(spec, DetectorSpec) else METHODS


def way_of(spec: Spec, output: str, chosen: Mapping[str, Any] | None = None) -> Way:
    """The way of an output by what was chosen for it (``Result.chosen``), or before anything was."""
    if isinstance(spec, DetectorSpec):
        return Least(**(chosen or {}))
    return Separation(**(chosen or {"method": cast(Method, output)}))


def apart(answer: Answer, way: Way) -> Objects:
    """The objects of a network's answer."""
    if isinstance(way, Least):
        return Objects(answer, confident(answer, way.least))
    found = segment(answer, way)
    return Objects(found, found)


def settle(model: AnyNetwork, validation: Feed, plan: Plan, pause: Callable[[], None] = lambda: None) -> dict[str, Way]:
    """The way of each output, chosen by the mean Score on the validation side.

    The masks of ``validation`` are numbers of objects. ``pause`` is called after each case is answered, and before each
    is scored.
    """
    cases: list[tuple[Any, Labels]] = []
    for answer in answers(model, validation, plan):
        cases.append((answer, _truth(validation, len(cases))))
        pause()

    def in_turn() -> Iterator[tuple[Any, Labels]]:
        for case in cases:
            pause()
            yield case

    if isinstance(model, Detector):
        return {model.spec.primary: _best_least(in_turn())}
    return {method: choose(in_turn(), candidates(method)) for method in METHODS}


def judge_objects(
    model: AnyNetwork, ways: dict[str, Way], data: Feed, cases: Sequence[Case], plan: Plan, split: str
) -> Iterator[FoundCase]:
    """Count what is right in every case, whole, by each output; the masks of ``data`` are numbers of objects."""
    for position, answer in enumerate(answers(model, data, plan)):
        case, truth = cases[position], _truth(data, position)
        found = {output: apart(answer, way) for output, way in ways.items()}
        keys = {"split": split, "case": case.id, "subject": case.subject}
        tables = [_counted(truth, objects, keys | {"output": output}) for output, objects in found.items()]
        yield FoundCase(joined(tables), found[outputs_of(model.spec)[-1]].sure.labels)


def answers(model: AnyNetwork, data: Feed, plan: Plan) -> Iterator[Answer]:
    """What a network says of each picture, whole: a detector sees it so, others in windows that are blended."""
    if isinstance(model, Detector):
        for case in range(len(data.spaces)):
            yield find(model, _whole(data, case), plan)[0]
    else:
        for planes in predict(model, data, plan):
            yield 1 - planes.probability[model.spec.primary][0, 0].cpu().numpy()


def _whole(data: Feed, case: int) -> Tensor:
    """A picture (1, C, H, W), standardised, on the device."""
    image = data.images(case, tuple(slice(0, side) for side in data.spaces[case])).to(data.moments.device)
    return standardise(image[None, :, 0], data.moments[case : case + 1])


def _truth(data: Feed, case: int) -> Labels:
    labels: Labels = data.masks(case, tuple(slice(0, side) for side in data.spaces[case]))[0].cpu().numpy()
    return labels


def _best_least(cases: Iterable[tuple[Detected, Labels]]) -> Least:
    """The least score that gives the highest mean Score, the first of equals."""
    totals = np.zeros(len(LEASTS))
    for found, truth in cases:
        totals += [score(truth, confident(found, least)) for least in LEASTS]
    return Least(LEASTS[int(np.argmax(totals))])


def _positions(boxed: Found, height: int, width: int) -> Detected:
    """Where each object is likelier than not, so that no more than some masks of the image's size are ever held."""
    masks = (mask for some in pasted(boxed, height, width) for mask in (some[:, 0] >= 0.5).cpu().numpy())
    return from_pixels((height, width), [np.flatnonzero(mask) for mask in masks], boxed["scores"].float().cpu().numpy())


def _counted(truth: Labels, objects: Objects, keys: dict[str, str]) -> InstanceCounts:
    sure = count(truth, objects.sure, keys)
    if objects.every is objects.sure:
        return sure
    return sure._replace(detections=count(truth, objects.every, keys).detections)
