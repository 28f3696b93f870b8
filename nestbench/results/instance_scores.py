"""Every metric of instance segmentation from per-case counts, with one stated policy for empty pictures.

Three tables, each with KEYS first (``output``: how objects were told apart, such as ``components``):

    cases.parquet       a row for each case and output
        true                            true objects
        tp_50 .. tp_95, fp_50 .. fp_95  found objects that are right and wrong where a match needs an IoU of .50 .. .95
        matched_iou                     sum of the IoU of the matches at .50
        aji_intersection, aji_union     pixels, of the aggregated Jaccard index
        tp fp fn tn                     pixels of the union of all objects
    sizes.parquet       a row for each case, output and size of SIZES
        size                            diameter in pixels of the circle of an object's area
        true                            true objects of this size
        tp_50 .. tp_95                  those that are found
        fp_50 .. fp_95                  wrong objects that are themselves of this size
        best_iou, best_dice             sums over the true objects: overlap with the found object that fits best
    detections.parquet  a row for each found object, those too that a network is too unsure of to count them above
        score, pixels                   how sure the network is of it, and its area
        tp_50 .. tp_95                  whether it is right

A match: the found objects, the surest first, each take the true object of highest IoU, at least the threshold, that
none has taken. Where found objects do not overlap, that is every pair above .50, as in the Data Science Bowl of 2018;
where they do, as COCO has it. (The Bowl asks for more than the threshold, COCO for as much; here it is as much.)

Policy: a picture without objects in which none is found scores 1 by every metric, one in which some are found 0.

    score      TP / (TP + FP + FN), mean over the thresholds: the Bowl's, and what arXiv 1912.05074 calls Score
    pq         panoptic quality at .50 (Kirillov et al. 2019), of the picture's objects as one class
    aji        aggregated Jaccard index (Kumar et al. 2017)
    iou, dice  of the union of all objects
    ap         COCO's average precision of all cases together, mean over the thresholds, with as many found objects of
               a picture as there are; ap50 and ap75 at one threshold
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from nestbench.results.scores import Array, dice, iou, ratio

THRESHOLDS = tuple(range(50, 100, 5))
"""IoU in percent that a match needs at least."""

KEYS = ("split", "case", "subject", "output")
TP = tuple(f"tp_{t}" for t in THRESHOLDS)
FP = tuple(f"fp_{t}" for t in THRESHOLDS)
PIXELS = ("tp", "fp", "fn", "tn")
COLUMNS = (*KEYS, "true", *TP, *FP, "matched_iou", "aji_intersection", "aji_union", *PIXELS)
SIZE_COLUMNS = (*KEYS, "size", "true", *TP, *FP, "best_iou", "best_dice")
DETECTION_COLUMNS = (*KEYS, "score", "pixels", *TP)

EDGES = (8, 16, 32, 64)
"""Diameters in pixels at which one size ends and the next begins."""
SIZES = ("below 8", "8 to 16", "16 to 32", "32 to 64", "from 64")

METRICS = {
    "score": "TP / (TP + FP + FN), mean over IoU thresholds 0.5:0.05:0.95",
    "pq": "panoptic quality",
    "aji": "aggregated Jaccard index",
    "iou": "IoU of the union of all objects",
    "dice": "Dice of the union of all objects",
}
"""What every case has."""

POOLED = {
    "ap": "COCO's average precision, mean over IoU thresholds 0.5:0.05:0.95",
    "ap50": "average precision at an IoU of 0.5",
    "ap75": "average precision at an IoU of 0.75",
}
"""What a side has as a whole."""


class InstanceCounts(NamedTuple):
    """The three tables, of one case or of many."""

    cases: pd.DataFrame
    sizes: pd.DataFrame
    detections: pd.DataFrame

    def of(self, split: str) -> "InstanceCounts":
        """The rows of one split."""
        return InstanceCounts(*(table[table["split"] == split] for table in self))


_RECALLS = np.linspace(0, 1, 101)


def joined(counts: Iterable[InstanceCounts]) -> InstanceCounts:
    """The tables of several cases, at least one, as one of each kind."""
    return InstanceCounts(*(pd.concat(tables, ignore_index=True) for tables in zip(*counts, strict=True)))


def at_thresholds(true: Array, tp: Array, fp: Array) -> Array:
    """TP / (TP + FP + FN) where (n,) objects are true and (n, thresholds) found ones are right and wrong."""
    return ratio(tp, true[:, None] + fp)


def case_scores(counts: pd.DataFrame) -> pd.DataFrame:
    """Score each case: KEYS, the metrics of METRICS (0 to 1), and ``score_50`` .. ``score_95`` at each threshold."""
    at = at_thresholds(*_matches(counts))
    true, tp, fp = (counts[column].to_numpy(np.float64) for column in ("true", "tp_50", "fp_50"))
    pixels = [counts[column].to_numpy(np.float64) for column in PIXELS[:3]]
    aggregated = [counts[column].to_numpy(np.float64) for column in ("aji_intersection", "aji_union")]
    scores = {
        "score": at.mean(axis=1),
        "pq": ratio(2 * counts["matched_iou"].to_numpy(np.float64), true + tp + fp),
        "aji": ratio(*aggregated),
        "iou": iou(*pixels),
        "dice": dice(*pixels),
    }
    by_threshold = {f"score_{t}": at[:, i] for i, t in enumerate(THRESHOLDS)}
    return counts[list(KEYS)].assign(**scores, **by_threshold)


def mean_scores(counts: InstanceCounts, split: str) -> dict[str, dict[str, float]]:
    """Each metric of a split by output: of METRICS the mean over subjects, each the mean of its cases, and POOLED."""
    own = counts.of(split)
    subjects = case_scores(own.cases).groupby(["output", "subject"], sort=False)[list(METRICS)].mean()
    means = subjects.groupby("output", sort=False).mean()
    pooled = pooled_scores(own)
    return {str(o): {m: float(row[m]) for m in METRICS} | pooled[str(o)] for o, row in means.iterrows()}


def pooled_scores(counts: InstanceCounts) -> dict[str, dict[str, float]]:
    """The metrics of POOLED by output, of all cases together."""
    scores: dict[str, dict[str, float]] = {}
    for output, own in counts.cases.groupby("output", sort=False):
        found = counts.detections[counts.detections["output"] == output]
        at = average_precision(found, int(own["true"].sum()))
        by_threshold = dict(zip(THRESHOLDS, map(float, at), strict=True))
        scores[str(output)] = {"ap": float(at.mean()), "ap50": by_threshold[50], "ap75": by_threshold[75]}
    return scores


def average_precision(detections: pd.DataFrame, true: int) -> Array:
    """COCO's average precision at each threshold, of the detections of any number of cases with ``true`` objects.

    The precision at 101 recalls, each the highest at that recall or above, 0 where it is not reached.
    """
    if not true:
        return np.full(len(THRESHOLDS), 0.0 if len(detections) else 1.0)
    order = np.argsort(-detections["score"].to_numpy(), kind="stable")
    right = detections[list(TP)].to_numpy(np.float64)[order].cumsum(axis=0)
    precision = right / np.arange(1, len(order) + 1)[:, None]
    highest = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    reached = np.vstack([highest, np.zeros(len(THRESHOLDS))])
    means = [reached[np.searchsorted(right[:, i] / true, _RECALLS), i].mean() for i in range(len(THRESHOLDS))]
    return np.array(means)


def size_scores(sizes: pd.DataFrame) -> pd.DataFrame:
    """Score each output and size of the cases of ``sizes`` together; a size that no true object has is left out.

    Columns: ``output``, ``size``, ``true``, ``score``, ``found_50`` and ``found_75`` (share of the true objects that
    are found), ``best_iou`` and ``best_dice`` (means over the true objects). Cases are pooled: in most pictures a size
    is not there, and the policy for empty pictures would decide.
    """
    summed = sizes.groupby(["output", "size"], sort=False, as_index=False).sum(numeric_only=True)
    summed = summed[summed["true"] > 0]
    true = summed["true"].to_numpy(np.float64)
    shares = {"found_50": "tp_50", "found_75": "tp_75", "best_iou": "best_iou", "best_dice": "best_dice"}
    scored = summed[["output", "size", "true"]].assign(
        score=at_thresholds(*_matches(summed)).mean(axis=1),
        **{name: summed[column].to_numpy(np.float64) / true for name, column in shares.items()},
    )
    place = {size: index for index, size in enumerate(SIZES)}
    return scored.sort_values("size", key=lambda column: column.map(place), kind="stable", ignore_index=True)


def _matches(counts: pd.DataFrame) -> tuple[Array, Array, Array]:
    true, *found = (counts[columns].to_numpy(np.float64) for columns in ("true", list(TP), list(FP)))
    return true, found[0], found[1]
