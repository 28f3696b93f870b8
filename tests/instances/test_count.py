import numpy as np
import pytest
from drawn_objects import KEYS, drawn_answer, drawn_truth, keys
from hypothesis import given
from hypothesis import strategies as st

from nestbench.instances.count import count, matches, overlap, score
from nestbench.instances.detected import from_labels, from_masks
from nestbench.results.instance_scores import (
    COLUMNS,
    DETECTION_COLUMNS,
    FP,
    METRICS,
    SIZE_COLUMNS,
    SIZES,
    THRESHOLDS,
    TP,
    case_scores,
)


def by_hand():
    """Objects of 10, 10 and 4 pixels; of the first 8 are found, of the second 5 and 1 beside it; 3 are false."""
    truth, found = np.zeros((1, 40), np.int32), np.zeros((3, 1, 40), bool)
    truth[0, 0:10], truth[0, 12:22], truth[0, 30:34] = 4, 9, 5
    found[0, 0, 0:8], found[1, 0, 17:23], found[2, 0, 36:39] = True, True, True
    return truth, from_masks(found, [0.5, 0.9, 0.7])


def dense_iou(truth, found):
    """IoU of every found with every true object, by whole masks."""
    true = np.array([truth == number for number in np.unique(truth) if number], bool).reshape(-1, *truth.shape)
    both = (found.masks[:, None] & true[None]).sum((2, 3))
    return both / np.maximum(1, (found.masks[:, None] | true[None]).sum((2, 3)))


def test_a_picture_counted_by_hand():
    case = count(*by_hand(), KEYS).cases.iloc[0]
    assert case["true"] == 3
    assert [case[name] for name in TP] == [1, 1, 1, 1, 1, 1, 1, 0, 0, 0]
    assert [case[name] for name in FP] == [2, 2, 2, 2, 2, 2, 2, 3, 3, 3]
    assert case["matched_iou"] == pytest.approx(0.8)
    assert (case["aji_intersection"], case["aji_union"]) == (8 + 5, 10 + 11 + 4 + 3)
    assert [case[name] for name in ("tp", "fp", "fn", "tn")] == [13, 4, 11, 12]
    scores = case_scores(count(*by_hand(), KEYS).cases).iloc[0]
    assert scores["score"] == pytest.approx(7 / 10 * 1 / 5)
    assert scores["pq"] == pytest.approx(0.8 / (1 + 2 / 2 + 2 / 2))
    assert scores["aji"] == pytest.approx(13 / 28)


def test_the_tables_have_their_columns_and_keys():
    counted = count(*by_hand(), keys(case="b", output="watershed"))
    for table, columns in zip(counted, (COLUMNS, SIZE_COLUMNS, DETECTION_COLUMNS), strict=True):
        assert tuple(table.columns) == columns
        assert set(table["case"]) == {"b"}
        assert set(table["output"]) == {"watershed"}
    assert counted.sizes["size"].tolist() == list(SIZES)


def test_a_detection_says_at_which_thresholds_it_is_right():
    found = count(*by_hand(), KEYS).detections
    assert found["score"].tolist() == pytest.approx([0.9, 0.7, 0.5])
    assert found["pixels"].tolist() == [6, 3, 8]
    assert found[list(TP)].sum(axis=1).tolist() == [0, 0, 7]


def test_an_iou_of_just_the_threshold_matches():
    truth, found = np.array([[1, 1, 1, 1, 0]]), np.array([[0, 1, 1, 1, 1]])
    case = count(truth, from_labels(found, [1.0]), KEYS).cases.iloc[0]
    assert [case[name] for name in TP[:4]] == [1, 1, 1, 0]


def test_of_two_that_find_one_object_the_surer_is_right():
    truth = np.array([[1, 1, 1, 1, 1, 0]])
    masks = np.array([[[1, 1, 1, 1, 1, 0]], [[1, 1, 1, 1, 0, 0]]], bool)
    found = count(truth, from_masks(masks, [0.4, 0.6]), KEYS).detections
    assert found["tp_50"].tolist() == [True, False]
    assert found["tp_95"].tolist() == [False, True]


def test_one_that_covers_two_objects_by_half_each_finds_one():
    found = from_labels(np.ones((1, 4), int), [1.0])
    assert len(matches(overlap(np.array([[1, 1, 2, 2]]), found), 50)) == 1


@given(st.integers(0, 100_000))
def test_matches_are_those_of_a_greedy_walk_over_all_pairs(seed):
    rng = np.random.default_rng(seed)
    truth = drawn_truth(rng, rng.integers(0, 12))
    found = drawn_answer(rng, truth, rng.integers(0, 6))
    iou, counted = dense_iou(truth, found), count(truth, found, KEYS)
    for percent, name in zip(THRESHOLDS, TP, strict=True):
        left, right = iou.copy(), []
        for row in range(len(left)):
            best = int(left[row].argmax()) if left.shape[1] else 0
            right.append(bool(left.shape[1]) and left[row, best] > percent / 100 - 1e-9)
            if right[-1]:
                left[:, best] = 0
        assert counted.detections[name].tolist() == right
        assert counted.cases[name].item() == sum(right) == counted.sizes[name].sum()
        assert counted.cases[f"fp_{percent}"].item() == len(right) - sum(right) == counted.sizes[f"fp_{percent}"].sum()
    best = iou.max(axis=0) if len(found) else np.zeros(iou.shape[1])
    assert counted.sizes["best_iou"].sum() == pytest.approx(best.sum())
    assert counted.sizes["true"].sum() == iou.shape[1]
    assert score(truth, found) == pytest.approx(case_scores(counted.cases)["score"].item())


@given(st.integers(0, 100_000))
def test_the_aggregated_jaccard_index_is_that_of_its_paper(seed):
    rng = np.random.default_rng(seed)
    truth = drawn_truth(rng, rng.integers(0, 12))
    found = drawn_answer(rng, truth, rng.integers(0, 6))
    iou, masks, used, intersection, union = dense_iou(truth, found), found.masks, set(), 0, 0
    for column, number in enumerate(number for number in np.unique(truth) if number):
        true = truth == number
        best = int(iou[:, column].argmax()) if len(found) else -1
        if best < 0 or iou[best, column] == 0:
            union += true.sum()
            continue
        used.add(best)
        intersection += (true & masks[best]).sum()
        union += (true | masks[best]).sum()
    union += sum(mask.sum() for row, mask in enumerate(masks) if row not in used)
    case = count(truth, found, KEYS).cases.iloc[0]
    assert case["aji_intersection"] / max(1, case["aji_union"]) == pytest.approx(intersection / max(1, union))


@given(st.integers(0, 100_000))
def test_an_answer_that_is_the_truth_scores_1(seed):
    truth = drawn_truth(np.random.default_rng(seed), seed % 12)
    found = from_labels(truth, np.ones(len(np.unique(truth)) - 1))
    scores = case_scores(count(truth, found, KEYS).cases).iloc[0]
    assert [scores[name] for name in METRICS] == [1] * len(METRICS)


def test_a_picture_without_objects_scores_1_where_nothing_is_found_and_else_0():
    nothing, something = np.zeros((4, 4), np.int32), np.eye(4, dtype=np.int32)
    for truth, answer, expected in ((nothing, nothing, 1), (nothing, something, 0), (something, nothing, 0)):
        scores = case_scores(count(truth, from_labels(answer, [1.0] * answer.max()), KEYS).cases).iloc[0]
        assert [scores[name] for name in METRICS] == [expected] * len(METRICS)


def test_fifteen_hundred_objects_of_one_pixel_up_to_the_border_are_each_found():
    truth = np.zeros((100, 60), np.int32)
    truth[::2, ::2] = np.arange(1, 1501).reshape(50, 30)
    assert count(truth, from_labels(truth, np.ones(1500)), KEYS).cases[TP[-1]].item() == 1500


def test_truth_and_answer_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match=r"the truth is \(4, 4\), the found objects are of a picture \(4, 5\)"):
        overlap(np.zeros((4, 4), np.int32), from_labels(np.zeros((4, 5), np.int32), []))


def test_sizes_are_the_diameters_of_circles_of_the_same_area():
    truth = np.zeros((80, 80), np.int32)
    truth[:7, :7], truth[10:18, :8], truth[20:80, :60] = 1, 2, 3
    sizes = count(truth, from_labels(truth, np.ones(3)), KEYS).sizes
    assert sizes.set_index("size")["true"].to_dict() == {
        "below 8": 1, "8 to 16": 1, "16 to 32": 0, "32 to 64": 0, "from 64": 1
    }  # fmt: skip
