"""A network and cases to scores: of each depth, and of the ensemble of all."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from nestbench.datasets.ahead import ahead
from nestbench.datasets.contract import Case
from nestbench.datasets.feed import Feed
from nestbench.datasets.resize import Space
from nestbench.formats.pictures import Pixels
from nestbench.machine import Plan
from nestbench.metrics import Counts, count, decide, probabilities
from nestbench.model import AnyNetwork, answering
from nestbench.results.scores import COUNTS, THRESHOLDS
from nestbench.windows import OVERLAP, Place, windows

AT_ONCE = 32 * 96 * 96
"""Pixels, or voxels, that go through a network together, if that is a whole window."""


Probabilities = Callable[[Tensor], dict[str, Tensor]]
"""From standardised images (N, C, *space) to probabilities (N, K, *space) by output."""


@dataclass(frozen=True, eq=False)
class Planes:
    """Neighbouring planes of a case, all of whose windows were seen."""

    case: int
    """Position on its side."""
    start: int
    """The first of them."""
    probability: dict[str, Tensor]
    """(K, d, H, W) by output."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A case, judged."""

    counts: pd.DataFrame
    """Table of counts (``results.scores``), a row for each output and class but the background."""
    mask: Pixels
    """Class index of each pixel by the network's primary output: (D, H, W)."""
    others: dict[str, Pixels]
    """The same by each other output; none where there is one head."""


def outputs(logits: dict[int, Tensor]) -> dict[str, Tensor]:
    """Probabilities (N, K, *space) of each head, ``L1`` .., and with several heads of their mean, ``ensemble``."""
    heads = {f"L{depth}": probabilities(values) for depth, values in logits.items()}
    if len(heads) > 1:
        return heads | {"ensemble": torch.stack(list(heads.values())).mean(dim=0)}
    return heads


def output(logits: dict[int, Tensor], name: str) -> Tensor:
    """Probabilities (N, K, *space) of one output: what ``outputs`` gives under its name."""
    return outputs(logits)[name] if name == "ensemble" else probabilities(logits[int(name[1:])])


def at_once(window: Space) -> int:
    """Windows that go through a network together."""
    return max(1, AT_ONCE // int(np.prod(window)))


def judge(
    model: AnyNetwork, data: Feed, cases: Sequence[Case], classes: Sequence[str], plan: Plan, split: str
) -> Iterator[Judged]:
    """Count and decide every case, whole: where it is seen in windows, they overlap by half and are blended.

    ``classes[0]`` is the background. The network is left in evaluation mode.
    """
    for position, planes in itertools.groupby(predict(model, data, plan), key=lambda part: part.case):
        tallies: dict[str, Counts] = {}
        decided: dict[str, list[Pixels]] = defaultdict(list)
        for part in planes:
            truth = _truth(data, part)[None]
            for name, probability in part.probability.items():
                counts = count(probability[None], truth)
                tallies[name] = Counts(*map(torch.add, tallies[name], counts)) if name in tallies else counts
                decided[name].append(decide(probability[None])[0].to(torch.uint8).cpu().numpy())
        masks = {name: np.concatenate(parts) for name, parts in decided.items()}
        mask = masks.pop(model.spec.primary)
        yield Judged(_table(tallies, cases[position], classes[1:], split), mask, masks)


def predict(model: AnyNetwork, data: Feed, plan: Plan) -> Iterator[Planes]:
    """Every case's planes, under the plan, by all outputs. The network is left in evaluation mode."""
    model.eval()
    answer = answering(model, plan)
    return blended(lambda images: outputs(answer(images)), data)


def blended(answer: Probabilities, data: Feed, overlap: float = OVERLAP) -> Iterator[Planes]:
    """Every case's planes, from the first to the last, out of overlapping windows, several of which are seen at once.

    No more of a case is held than the planes that one window covers, where the answer's probabilities are.
    """
    tasks = (
        (case, place, weights)
        for case, space in enumerate(data.spaces)
        for place, weights in windows(_reach(space, data.window), data.window, overlap)
    )
    slab: _Slab | None = None
    seen = ((part, _images(data, part)) for part in _batched(tasks, at_once(data.window)))
    for part, images in ahead(seen) if data.streamed else seen:
        found = answer(images)
        for index, (case, place, weights) in enumerate(part):
            if slab is None or slab.case != case:
                yield from () if slab is None else slab.emit()
                slab = _Slab(data, case)
            yield from slab.emit(place[0].start)
            slab.add({name: values[index] for name, values in found.items()}, place, weights)
    yield from () if slab is None else slab.emit()


class _Slab:
    """Blended probabilities of the planes of a case that windows still touch."""

    def __init__(self, data: Feed, case: int) -> None:
        self.case = case
        self._data, self._start = data, 0
        self._space = _reach(data.spaces[case], data.window)
        self._held: dict[str, Tensor] = {}

    def add(self, probability: dict[str, Tensor], place: Place, weights: Tensor) -> None:
        """Blend in one window's probabilities (K, *window)."""
        for name, values in probability.items():
            classes = len(values)
            if name not in self._held:
                self._held[name] = values.new_zeros(classes, self._data.window[0], *self._space[1:])
            seen = values.reshape(classes, *self._data.window) * weights.to(values.device)
            self._held[name][(slice(None), slice(None), *place[1:])] += seen

    def emit(self, before: int | None = None) -> Iterator[Planes]:
        """Give the planes before this one, or all, without what lies beyond the case's edges."""
        depth, height, width = self._data.spaces[self.case]
        stop = depth if before is None else before
        done = stop - self._start
        if done <= 0 or not self._held:
            return
        whole = {name: values[:, :done, :height, :width] for name, values in self._held.items()}
        if before is not None:
            rest = {name: (values[:, done:], torch.zeros_like(values[:, :done])) for name, values in self._held.items()}
            self._held = {name: torch.cat(parts, dim=1) for name, parts in rest.items()}
        yield Planes(self.case, self._start, whole)
        self._start = stop


def _truth(data: Feed, part: Planes) -> Tensor:
    """Index of the true class in planes (d, H, W), on the device."""
    _, height, width = data.spaces[part.case]
    depth = next(iter(part.probability.values())).shape[1]
    mask = data.masks(part.case, (slice(part.start, part.start + depth), slice(0, height), slice(0, width)))
    return mask.to(data.moments.device).long()


def _images(data: Feed, part: list[tuple[int, Place, Tensor]]) -> Tensor:
    return data.take([(case, *(axis.start for axis in place)) for case, place, _ in part])[0]


def _reach(space: Space, window: Space) -> Space:
    return tuple(map(max, space, window))


def _batched(tasks: Iterator[tuple[int, Place, Tensor]], size: int) -> Iterator[list[tuple[int, Place, Tensor]]]:
    while part := list(itertools.islice(tasks, size)):
        yield part


def _table(tallies: dict[str, Counts], case: Case, labels: Sequence[str], split: str) -> pd.DataFrame:
    every = Counts(*(torch.cat(parts).flatten(0, 1).cpu() for parts in zip(*tallies.values(), strict=True)))
    columns: dict[str, object] = {
        "split": split,
        "case": case.id,
        "subject": case.subject,
        "output": np.repeat(list(tallies), len(labels)),
        "label": np.tile(list(labels), len(tallies)),
    }
    columns |= {name: getattr(every, name).numpy() for name in COUNTS}
    for name, values in (("tp", every.tp_at), ("fp", every.fp_at)):
        columns |= {f"{name}_{t}": values[:, i].numpy() for i, t in enumerate(THRESHOLDS)}
    return pd.DataFrame(columns)
