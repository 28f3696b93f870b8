"""Find objects: by a network that finds them one by one, or apart in the foreground that a network of classes finds.

How an output decides what is an object (a score, a ``Separation``) is chosen on the validation side, by the Score.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestbench.datasets.contract import Case, Labels
from nestbench.datasets.feed import Feed, standardise
from nestbench.evaluate import predict
from nestbench.instances.count import count, score
from nestbench.instances.detected import Detected, from_labels, from_masks
from nestbench.instances.separate import METHODS, Method, Separation, candidates, choose, segment
from nestbench.machine import Plan
from nestbench.model import AnyNetwork, Detector, DetectorSpec, Spec
from nestbench.model.detector import LEAST
from nestbench.results.instance_scores import InstanceCounts, joined

SURE = 0.5
"""Score from which an object counts while a network is trained."""
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


Way = Callable[[Answer], Objects]


@dataclass(frozen=True, eq=False)
class FoundCase:
    """A case, judged."""

    counts: InstanceCounts
    labels: Labels
    """(H, W), by the primary output."""


@torch.no_grad()
def find(model: Detector, images: Tensor, plan: Plan, least: float = LEAST, proposed: float = 0.0) -> list[Detected]:
    """The objects in each standardised image (N, C, H, W) with a score above ``least``; they may overlap.

    ``proposed`` as in ``Detector.forward``.
    """
    model.eval()
    with plan.autocast():
        found = model(plan.arrange(images), least, proposed)
    return [from_masks((one["masks"][:, 0] >= 0.5).cpu().numpy(), one["scores"].float().cpu().numpy()) for one in found]


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


def unsettled(spec: Spec, output: str) -> Way:
    """The way of an output before anything was chosen."""
    if isinstance(spec, DetectorSpec):
        return partial(_sure, least=SURE)
    return partial(_separated, how=Separation(cast(Method, output)))


def settle(model: AnyNetwork, validation: Feed, plan: Plan) -> dict[str, Way]:
    """The way of each output, chosen by the mean Score on the validation side.

    The masks of ``validation`` are numbers of objects.
    """
    truths = (_truth(validation, case) for case in range(len(validation.spaces)))
    cases: list[tuple[Any, Labels]] = list(zip(answers(model, validation, plan), truths, strict=True))
    if isinstance(model, Detector):
        return {model.spec.primary: partial(_sure, least=_best_least(cases))}
    return {method: partial(_separated, how=choose(cases, candidates(method))) for method in METHODS}


def judge_objects(
    model: AnyNetwork, ways: dict[str, Way], data: Feed, cases: Sequence[Case], plan: Plan, split: str
) -> Iterator[FoundCase]:
    """Count what is right in every case, whole, by each output; the masks of ``data`` are numbers of objects."""
    for position, answer in enumerate(answers(model, data, plan)):
        case, truth = cases[position], _truth(data, position)
        found = {output: way(answer) for output, way in ways.items()}
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


def _best_least(cases: Sequence[tuple[Detected, Labels]]) -> float:
    """The least score that gives the highest mean Score, the first of equals."""
    totals = [sum(score(truth, confident(found, least)) for found, truth in cases) for least in LEASTS]
    return LEASTS[int(np.argmax(totals))]


def _sure(found: Detected, least: float) -> Objects:
    return Objects(found, confident(found, least))


def _separated(probability: NDArray[np.float32], how: Separation) -> Objects:
    found = segment(probability, how)
    return Objects(found, found)


def _counted(truth: Labels, objects: Objects, keys: dict[str, str]) -> InstanceCounts:
    sure = count(truth, objects.sure, keys)
    if objects.every is objects.sure:
        return sure
    return sure._replace(detections=count(truth, objects.every, keys).detections)
