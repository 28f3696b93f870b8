import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, jaccard_score

from nestbench.results.scores import COLUMNS, METRICS, THRESHOLDS, case_scores, dice, iou, mean_scores


def counts_of(truth, probability, **keys):
    """One row of counts from a mask and a map of probabilities."""
    truth, decided = truth.ravel().astype(bool), probability.ravel() >= 0.5
    row = {"split": "test", "case": "a", "subject": "a", "output": "L1", "label": "cell"} | keys
    row |= {"tp": (truth & decided).sum(), "fp": (~truth & decided).sum()}
    row |= {"fn": (truth & ~decided).sum(), "tn": (~truth & ~decided).sum()}
    for percent in THRESHOLDS:
        above = probability.ravel() >= percent / 100
        row |= {f"tp_{percent}": (truth & above).sum(), f"fp_{percent}": (~truth & above).sum()}
    return pd.DataFrame([row])[list(COLUMNS)]


def random_case(seed):
    generator = np.random.default_rng(seed)
    return generator.random(64) < 0.4, generator.random(64)


@given(st.integers(0, 10_000))
def test_scores_are_those_of_scikit_learn(seed):
    truth, probability = random_case(seed)
    scores = case_scores(counts_of(truth, probability)).iloc[0]
    decided = probability >= 0.5
    assert scores["iou"] == pytest.approx(jaccard_score(truth, decided))
    assert scores["dice"] == pytest.approx(f1_score(truth, decided))
    assert scores["mean_iou"] == pytest.approx(jaccard_score(truth, decided, average="macro"))
    at = [jaccard_score(truth, probability >= t / 100, average="macro", zero_division=1) for t in THRESHOLDS]
    assert scores["mean_iou_thresholds"] == pytest.approx(np.mean(at))


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_dice_follows_from_iou_and_is_never_below_it(tp, fp, fn):
    overlap, similarity = (float(f(*map(np.asarray, (tp, fp, fn)))) for f in (iou, dice))
    assert similarity == pytest.approx(2 * overlap / (1 + overlap))
    assert 0 <= overlap <= similarity <= 1


def test_an_empty_mask_answered_with_nothing_is_right_and_with_anything_is_wrong():
    nothing, something = np.zeros(16), np.ones(16)
    assert case_scores(counts_of(nothing, nothing))["iou"].item() == 1
    assert case_scores(counts_of(nothing, something))["iou"].item() == 0
    assert case_scores(counts_of(something, nothing))["dice"].item() == 0


def test_the_classes_of_a_case_count_alike():
    good, bad = np.ones(4), np.zeros(4)
    table = pd.concat([counts_of(good, good, label="a"), counts_of(good, bad, label="b")])
    assert case_scores(table)["iou"].tolist() == [0.5]


def test_means_are_over_the_cases_of_one_split():
    good, bad = np.ones(4), np.zeros(4)
    table = pd.concat(
        [counts_of(good, good), counts_of(good, bad, case="b"), counts_of(good, bad, case="c", split="validation")]
    )
    assert mean_scores(table, "test") == {"L1": {metric: pytest.approx(0.5, abs=0.26) for metric in METRICS}}
    assert mean_scores(table, "test")["L1"]["iou"] == 0.5
    assert mean_scores(table, "validation")["L1"]["iou"] == 0
