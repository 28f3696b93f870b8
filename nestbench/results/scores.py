"""Every metric from per-case counts, with one stated policy for empty masks.

A table of counts has one row per case, output and class, with the columns

    split     validation or test          tp fp fn tn   pixels, at the network's decision
    case      id of the case              tp_50 .. tp_95, fp_50 .. fp_95   pixels, with the
    subject   what cases are grouped by       probability thresholded at .50, .55, .. .95
    output    L1, L2, .. or ensemble
    label     name of the class

The decision is p >= 0.5 for two classes and the largest probability for more. Policy: a case in which a class is
neither present nor predicted scores 1, one in which it is only predicted or only missed scores 0.

The papers print IoU and Dice without formulas that agree with one another, so four metrics stand side by side:
foreground IoU, two-class mean IoU, the mean of that over the thresholds (the official code's), and Dice.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

THRESHOLDS = tuple(range(50, 100, 5))
"""Probability thresholds in percent."""

KEYS = ("split", "case", "subject", "output", "label")
COUNTS = ("tp", "fp", "fn", "tn")
COLUMNS = (*KEYS, *COUNTS, *(f"{c}_{t}" for c in ("tp", "fp") for t in THRESHOLDS))

METRICS = {
    "iou": "foreground IoU at 0.5",
    "dice": "foreground Dice at 0.5",
    "mean_iou": "two-class mean IoU at 0.5",
    "mean_iou_thresholds": "two-class mean IoU over thresholds 0.5:0.05:0.95",
}


def ratio(part: Array, whole: Array) -> Array:
    """``part / whole``, and 1 where both are empty."""
    return np.where(whole > 0, part / np.maximum(whole, 1), 1.0)


def iou(tp: Array, fp: Array, fn: Array) -> Array:
    """Intersection over union from counts of pixels."""
    return ratio(tp, tp + fp + fn)


def dice(tp: Array, fp: Array, fn: Array) -> Array:
    """Dice's coefficient from counts of pixels."""
    return ratio(2 * tp, 2 * tp + fp + fn)


def case_scores(counts: pd.DataFrame) -> pd.DataFrame:
    """Score each case: the metrics of METRICS (0 to 1), averaged over the classes of the case.

    The result has one row per split, case, subject and output, and one column per metric.
    """
    tp, fp, fn, tn = (counts[c].to_numpy(np.float64) for c in COUNTS)
    names = {key: counts[key] for key in ("split", "case", "subject", "output")}
    scores = {
        "iou": iou(tp, fp, fn),
        "dice": dice(tp, fp, fn),
        "mean_iou": _two_class_iou(tp, fp, fn, tn),
        "mean_iou_thresholds": _mean_over_thresholds(counts, tp + fn, tp + fp + fn + tn),
    }
    scored = pd.DataFrame(names | scores)
    if one_class(counts):  # its scores are the case's
        return scored.reset_index(drop=True)
    grouped = scored.groupby(["split", "case", "subject", "output"], sort=False, as_index=False)
    return grouped[list(METRICS)].mean()


def one_class(counts: pd.DataFrame) -> bool:
    """Whether a table of counts is of one class only."""
    labels = counts["label"].to_numpy()
    return bool((labels == labels[0]).all())


def class_scores(counts: pd.DataFrame) -> pd.DataFrame:
    """IoU and Dice (0 to 1) of each class, means over subjects, each the mean of its cases: a row per ``label``."""
    tp, fp, fn = (counts[c].to_numpy(np.float64) for c in ("tp", "fp", "fn"))
    scored = counts[["label", "subject"]].assign(iou=iou(tp, fp, fn), dice=dice(tp, fp, fn))
    subjects = scored.groupby(["label", "subject"], sort=False)[["iou", "dice"]].mean()
    return subjects.groupby("label", sort=False).mean().reset_index()


def mean_scores(counts: pd.DataFrame, split: str) -> dict[str, dict[str, float]]:
    """Mean of each metric over a split's subjects, each the mean of its cases, by output."""
    scored = case_scores(counts[counts["split"] == split])
    subjects = scored.groupby(["output", "subject"], sort=False)[list(METRICS)].mean()
    means = subjects.groupby("output", sort=False).mean()
    return {str(output): {m: float(row[m]) for m in METRICS} for output, row in means.iterrows()}


def _two_class_iou(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    return (iou(tp, fp, fn) + iou(tn, fn, fp)) / 2


def _mean_over_thresholds(counts: pd.DataFrame, positives: Array, pixels: Array) -> Array:
    # Column by column: a table of a table's columns takes longer to make than all of this to work out.
    tp, fp = (np.column_stack([counts[f"{c}_{t}"].to_numpy(np.float64) for t in THRESHOLDS]) for c in ("tp", "fp"))
    fn = positives[:, None] - tp
    scores: Array = _two_class_iou(tp, fp, fn, pixels[:, None] - tp - fp - fn).mean(axis=1)
    return scores
