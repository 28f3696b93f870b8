"""Scores from counts against other libraries, on masks of any emptiness."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.metrics import DiceHelper, compute_iou
from sklearn.metrics import f1_score, jaccard_score

from nestbench.results.scores import COUNTS, THRESHOLDS, case_scores

Masks = arrays(np.uint8, (2, 6, 5), elements=st.integers(0, 3))
"""A true mask and a predicted one, of four classes that may be absent from either."""

LABELS = (1, 2, 3)


def scored(truth: np.ndarray, found: np.ndarray, labels: tuple[int, ...] = LABELS) -> pd.Series:
    """The scores of one case from its counts, as a run keeps them."""
    rows = []
    for label in labels:
        true, said = truth == label, found == label
        counts = [(true & said).sum(), (~true & said).sum(), (true & ~said).sum(), (~true & ~said).sum()]
        row = {"split": "test", "case": "c", "subject": "s", "output": "L1", "label": label}
        row |= dict(zip(COUNTS, counts, strict=True))
        rows.append(row | {f"{name}_{t}": row[name] for t in THRESHOLDS for name in ("tp", "fp")})
    return case_scores(pd.DataFrame(rows)).iloc[0]


def one_hot(mask: np.ndarray, classes: int = 4) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.from_numpy(mask).long(), classes).movedim(-1, 0)[None]


@settings(deadline=None)
@given(Masks)
def test_iou_and_dice_of_several_classes_are_those_of_scikit_learn(masks: np.ndarray) -> None:
    truth, found = masks
    asked = {"labels": LABELS, "average": "macro", "zero_division": 1.0}
    own = scored(truth, found)
    assert own["iou"] == pytest.approx(jaccard_score(truth.ravel(), found.ravel(), **asked))
    assert own["dice"] == pytest.approx(f1_score(truth.ravel(), found.ravel(), **asked))


@settings(deadline=None)
@given(Masks)
def test_iou_and_dice_of_several_classes_are_those_of_monai(masks: np.ndarray) -> None:
    both = one_hot(masks[1]), one_hot(masks[0])
    own = scored(*masks)
    iou = compute_iou(*both, include_background=False, ignore_empty=False)
    assert own["iou"] == pytest.approx(float(iou.mean()))
    dice, _ = DiceHelper(include_background=False, ignore_empty=False, reduction="none", get_not_nans=True)(*both)
    assert own["dice"] == pytest.approx(float(dice.mean()))


@settings(deadline=None)
@given(arrays(np.uint8, (2, 6, 5), elements=st.integers(0, 1)))
def test_two_class_mean_iou_is_scikit_learns_over_both_classes(masks: np.ndarray) -> None:
    truth, found = masks
    expected = jaccard_score(truth.ravel(), found.ravel(), labels=[0, 1], average="macro", zero_division=1.0)
    assert scored(truth, found, (1,))["mean_iou"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("truth", "found", "score"),
    [(0, 0, 1.0), (1, 0, 0.0), (0, 1, 0.0), (1, 1, 1.0)],
    ids=["both empty", "missed", "only predicted", "both full"],
)
def test_empty_masks_score_as_monai_scores_them_where_it_does_not_ignore_them(
    truth: int, found: int, score: float
) -> None:
    masks = [np.full((6, 5), value, np.uint8) for value in (truth, found)]
    own = scored(*masks, (1,))
    assert (own["iou"], own["dice"]) == (score, score)
    theirs = compute_iou(one_hot(masks[1], 2), one_hot(masks[0], 2), include_background=False, ignore_empty=False)
    assert float(theirs) == score
