"""What is right of the objects that were found in one picture, as counts (scores: ``results.instance_scores``).

Which found object meets which true one is looked up pixel by pixel, so the cost grows with the pixels of the objects
and not with the pairs of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestbench.instances.detected import Detected, Flags, Labels, Places
from nestbench.results.instance_scores import (
    COLUMNS,
    DETECTION_COLUMNS,
    EDGES,
    FP,
    SIZE_COLUMNS,
    SIZES,
    THRESHOLDS,
    TP,
    InstanceCounts,
    at_thresholds,
)

_AREAS = np.pi / 4 * np.square(EDGES)


@dataclass(frozen=True, eq=False)
class Overlap:
    """Every pair of a found and a true object that share a pixel: the surest found one first, of its pairs the best."""

    found: Places
    """(pairs,), position of the found object."""
    true: Places
    """(pairs,), position of the true object, in the order of the objects' numbers."""
    shared: Places
    """(pairs,), pixels that both have."""
    found_areas: Places
    true_areas: Places

    @property
    def union(self) -> Places:
        """(pairs,), pixels that one of both has."""
        return self.found_areas[self.found] + self.true_areas[self.true] - self.shared

    @property
    def iou(self) -> NDArray[np.float64]:
        """(pairs,)."""
        return self.shared / self.union


def overlap(truth: Labels, found: Detected) -> Overlap:
    """Find which objects overlap, and by how much.

    Raises ValueError where truth and found objects are of pictures of two sizes.
    """
    if truth.shape != found.shape:
        raise ValueError(f"the truth is {truth.shape}, the found objects are of a picture {found.shape}")
    ranks, areas = _ranked(truth)
    which = np.repeat(np.arange(len(found)), found.areas)
    met = ranks[np.concatenate([np.empty(0, np.int64), *found.pixels])]
    pairs, shared = np.unique((which * (len(areas) + 1) + met)[met > 0], return_counts=True)
    one, other = np.divmod(pairs, len(areas) + 1)
    every = Overlap(one, other - 1, shared, found.areas, areas)
    order = np.lexsort((-every.iou, every.found))
    return Overlap(one[order], other[order] - 1, shared[order], found.areas, areas)


def matches(pairs: Overlap, percent: int) -> Places:
    """Which pairs match at an IoU of at least so many percent, by position: for an object one pair at most."""
    # In whole numbers: an IoU of exactly 3/5 is one of at least 60 percent.
    near = np.flatnonzero(100 * pairs.shared >= percent * pairs.union)
    taken: set[int] = set()
    given: set[int] = set()
    chosen = []
    for place, found, true in zip(near.tolist(), pairs.found[near].tolist(), pairs.true[near].tolist(), strict=True):
        if found not in given and true not in taken:
            given.add(found)
            taken.add(true)
            chosen.append(place)
    return np.array(chosen, np.int64)


def score(truth: Labels, found: Detected) -> float:
    """The Score of one picture (``results.instance_scores``)."""
    pairs = overlap(truth, found)
    tp = np.array([[len(matches(pairs, percent)) for percent in THRESHOLDS]], np.float64)
    return float(at_thresholds(np.array([len(pairs.true_areas)], np.float64), tp, len(found) - tp).mean())


def count(truth: Labels, found: Detected, keys: Mapping[str, str]) -> InstanceCounts:
    """Count what is right in one picture; ``keys`` are the values of KEYS of ``results.instance_scores``."""
    pairs = overlap(truth, found)
    matched = [matches(pairs, percent) for percent in THRESHOLDS]
    right = np.stack([_marked(pairs.found[chosen], len(found)) for chosen in matched], axis=1)
    reached = np.stack([_marked(pairs.true[chosen], len(pairs.true_areas)) for chosen in matched], axis=1)
    case = {
        "true": len(pairs.true_areas),
        **dict(zip(TP, right.sum(axis=0), strict=True)),
        **dict(zip(FP, (~right).sum(axis=0), strict=True)),
        "matched_iou": pairs.iou[matched[0]].sum(),
        **_aggregated(pairs),
        **_pixels(truth, found),
    }
    detections = {"score": found.scores, "pixels": found.areas, **dict(zip(TP, right.T, strict=True))}
    return InstanceCounts(
        pd.DataFrame([dict(keys) | case])[list(COLUMNS)],
        _by_size(pairs, right, reached).assign(**keys)[list(SIZE_COLUMNS)],
        pd.DataFrame(detections).assign(**keys)[list(DETECTION_COLUMNS)],
    )


def _ranked(truth: Labels) -> tuple[Places, Places]:
    """For each pixel the rank of its object among the objects' numbers, from 1 on, or 0; and the objects' areas."""
    ranks = np.zeros(truth.size, np.int64)
    places = np.flatnonzero(truth)
    _, inverse, areas = np.unique(truth.ravel()[places], return_inverse=True, return_counts=True)
    ranks[places] = inverse + 1
    return ranks, areas.astype(np.int64)


def _marked(places: Places, count: int) -> Flags:
    marked = np.zeros(count, np.bool_)
    marked[places] = True
    return marked


def _aggregated(pairs: Overlap) -> dict[str, int]:
    """Sums of the aggregated Jaccard index: each true object with the found one of highest IoU, used again or not."""
    order = np.lexsort((-pairs.iou, pairs.true))
    met, first = np.unique(pairs.true[order], return_index=True)
    best = order[first]
    reached, used = _marked(met, len(pairs.true_areas)), _marked(pairs.found[best], len(pairs.found_areas))
    rest = pairs.true_areas[~reached].sum() + pairs.found_areas[~used].sum()
    return {"aji_intersection": int(pairs.shared[best].sum()), "aji_union": int(pairs.union[best].sum() + rest)}


def _pixels(truth: Labels, found: Detected) -> dict[str, int]:
    true, covered = truth.ravel() > 0, np.zeros(truth.size, np.bool_)
    for own in found.pixels:
        covered[own] = True
    tp, positive, predicted = int((true & covered).sum()), int(true.sum()), int(covered.sum())
    return {"tp": tp, "fp": predicted - tp, "fn": positive - tp, "tn": truth.size - positive - predicted + tp}


def _by_size(pairs: Overlap, right: Flags, reached: Flags) -> pd.DataFrame:
    best = {"best_iou": pairs.iou, "best_dice": 2 * pairs.iou / (1 + pairs.iou)}
    columns: dict[str, Any] = {"size": SIZES, "true": _summed(pairs.true_areas, np.ones(len(pairs.true_areas)))}
    columns |= {name: _summed(pairs.true_areas, reached[:, i]) for i, name in enumerate(TP)}
    columns |= {name: _summed(pairs.found_areas, ~right[:, i]) for i, name in enumerate(FP)}
    counts = pd.DataFrame(columns).astype(dict.fromkeys(("true", *TP, *FP), np.int64))
    highest = {name: np.zeros(len(pairs.true_areas)) for name in best}
    for name, values in best.items():
        np.maximum.at(highest[name], pairs.true, values)
    return counts.assign(**{name: _summed(pairs.true_areas, values) for name, values in highest.items()})


def _summed(areas: Places, values: NDArray[Any]) -> NDArray[np.float64]:
    """Sum of the values of the objects of each size."""
    size = np.searchsorted(_AREAS, areas, side="right")
    return np.bincount(size, weights=values.astype(np.float64), minlength=len(SIZES)).astype(np.float64)
