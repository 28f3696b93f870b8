import contextlib
import io

import numpy as np
import pandas as pd
import pytest
import torch
from drawn_objects import KEYS, drawn_answer, drawn_truth, keys
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchmetrics.detection import PanopticQuality

from nestbench.instances.count import count, overlap
from nestbench.instances.detected import from_labels
from nestbench.results.instance_scores import (
    METRICS,
    POOLED,
    SIZES,
    average_precision,
    case_scores,
    joined,
    mean_scores,
    pooled_scores,
    size_scores,
)


def drawn_cases(seed, cases):
    rng = np.random.default_rng(seed)
    truths = [drawn_truth(rng, rng.integers(0, 10)) for _ in range(cases)]
    return truths, [drawn_answer(rng, truth, rng.integers(0, 5)) for truth in truths]


def counted(truths, answers):
    pairs = enumerate(zip(truths, answers, strict=True))
    return joined(count(truth, found, keys(case=str(i), subject=str(i // 2))) for i, (truth, found) in pairs)


def coded(mask):
    return coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))


def coco_precision(truths, answers):
    """COCO's own precision at each threshold, with as many detections of a picture as there are."""
    images = [{"id": i, "height": len(truth), "width": len(truth)} for i, truth in enumerate(truths)]
    objects = [
        {
            "image_id": i,
            "category_id": 1,
            "iscrowd": 0,
            "segmentation": coded(truth == n),
            "area": int((truth == n).sum()),
        }
        for i, truth in enumerate(truths)
        for n in np.unique(truth)
        if n
    ]
    found = [
        {"image_id": i, "category_id": 1, "score": float(score), "segmentation": coded(mask)}
        for i, answer in enumerate(answers)
        for mask, score in zip(answer.masks, answer.scores, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        named = [one | {"id": number} for number, one in enumerate(objects, start=1)]
        truth.dataset = {"info": {}, "images": images, "annotations": named, "categories": [{"id": 1, "name": "cell"}]}
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(found), "segm")
        judge.params.maxDets = [1, 10, 10_000]
        judge.evaluate()
        judge.accumulate()
    return judge.eval["precision"][:, :, 0, 0, -1].mean(axis=1)


@settings(max_examples=25)
@given(st.integers(0, 100_000))
def test_average_precision_is_that_of_pycocotools(seed):
    truths, answers = drawn_cases(seed, 4)
    tables = counted(truths, answers)
    if not tables.cases["true"].sum() or tables.detections.empty:
        return
    expected = coco_precision(truths, answers)
    # Scores of several pictures may be equal: COCO and the table then have them in one order.
    assert average_precision(tables.detections, tables.cases["true"].sum()) == pytest.approx(expected)
    pooled = pooled_scores(tables)["components"]
    assert pooled == pytest.approx({"ap": expected.mean(), "ap50": expected[0], "ap75": expected[5]})


@settings(max_examples=25)
@given(st.integers(0, 100_000))
def test_panoptic_quality_is_that_of_torchmetrics(seed):
    truths, answers = drawn_cases(seed, 1)
    truth, labels = truths[0], answers[0].labels
    found = from_labels(labels, np.ones(len(np.unique(labels[labels > 0]))))
    judge = PanopticQuality(things={1}, stuffs={0}, return_per_class=True)

    def as_panoptic(objects):
        return torch.from_numpy(np.stack([objects > 0, objects], axis=-1).astype(np.int64))[None]

    if not truth.any() and not labels.any():
        return
    expected = judge(as_panoptic(labels), as_panoptic(truth)).flatten()
    ours = case_scores(count(truth, found, KEYS).cases)["pq"].item()
    # Of an IoU of just one half torchmetrics makes no match, and we do.
    assume(0.5 not in overlap(truth, found).iou)
    assert ours == pytest.approx(float(expected[0]), abs=1e-6)


def test_without_a_true_object_anywhere_average_precision_is_1_or_0():
    nothing = np.zeros((4, 4), np.int32)
    empty = counted([nothing], [from_labels(nothing, [])])
    assert pooled_scores(empty)["components"] == dict.fromkeys(POOLED, 1.0)
    wrong = counted([nothing], [from_labels(np.eye(4, dtype=np.int32), [0.5])])
    assert pooled_scores(wrong)["components"] == dict.fromkeys(POOLED, 0.0)
    missed = counted([np.eye(4, dtype=np.int32)], [from_labels(nothing, [])])
    assert pooled_scores(missed)["components"] == dict.fromkeys(POOLED, 0.0)


def test_means_are_over_subjects_and_of_one_split():
    objects, nothing = np.eye(4, dtype=np.int32), np.zeros((4, 4), np.int32)
    right, missed = from_labels(objects, [1.0]), from_labels(nothing, [])
    rows = [("a", "one", right, "test"), ("b", "one", missed, "test"), ("c", "two", right, "test")]
    rows.append(("d", "two", missed, "validation"))
    tables = joined(count(objects, f, keys(case=c, subject=s, split=split)) for c, s, f, split in rows)
    scores = mean_scores(tables, "test")["components"]
    assert {name: scores[name] for name in METRICS} == dict.fromkeys(METRICS, 0.75)
    assert scores["ap50"] == pytest.approx(67 / 101)
    assert mean_scores(tables, "validation")["components"]["score"] == 0


def test_a_size_is_scored_over_all_cases_and_left_out_where_no_object_has_it():
    truth = np.zeros((40, 40), np.int32)
    truth[:4, :4], truth[10:30, 10:30] = 1, 2
    found = from_labels(np.where(truth == 2, 1, 0), [1.0])
    scores = size_scores(counted([truth, truth], [found, from_labels(truth, [1.0, 1.0])]).sizes).set_index("size")
    assert scores.index.tolist() == [SIZES[0], SIZES[2]]
    assert scores["true"].tolist() == [2, 2]
    assert scores["score"].tolist() == scores["found_50"].tolist() == scores["best_dice"].tolist() == [0.5, 1.0]


def test_a_false_object_counts_against_its_own_size():
    truth, found = np.zeros((40, 40), np.int32), np.zeros((40, 40), np.int32)
    truth[:4, :4] = found[:4, :4] = 1
    found[20:23, 20:23] = 2
    assert size_scores(counted([truth], [from_labels(found, [1.0, 0.5])]).sizes)["score"].tolist() == [0.5]


def test_the_tables_of_no_split_are_empty():
    tables = counted(*drawn_cases(1, 2)).of("validation")
    assert [len(table) for table in tables] == [0, 0, 0]
    assert isinstance(tables.cases, pd.DataFrame)
