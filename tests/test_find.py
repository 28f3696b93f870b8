import numpy as np
import pytest
import torch
from drawn_feed import feed_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_objects import PLAN, label_map, network, pictures, squares
from torchvision.models.detection.roi_heads import paste_masks_in_image

from nestbench.datasets.contract import Case
from nestbench.errors import StoppedError
from nestbench.find import LEASTS, answers, apart, confident, find, judge_objects, outputs_of, settle, way_of
from nestbench.instances.detected import from_masks
from nestbench.model import build
from nestbench.model.detector import AT_ONCE
from nestbench.results.instance_scores import joined, mean_scores


@given(arrays(bool, st.tuples(st.integers(0, 6), st.just(5), st.just(7))), st.data())
def test_what_a_network_is_sure_of_does_not_overlap_and_is_all_that_is_covered(masks, data):
    scores = data.draw(arrays(np.float32, len(masks), elements=st.sampled_from([0.25, 0.5, 0.75])))
    sure = confident(from_masks(masks, scores), 0.5)
    assert (sure.masks.sum(axis=0) <= 1).all()
    np.testing.assert_array_equal(sure.masks.any(axis=0), masks[scores >= 0.5].any(axis=0))
    assert (sure.scores >= 0.5).all()


def test_a_pixel_of_several_objects_is_left_to_the_surest():
    masks = np.zeros((2, 4, 4), bool)
    masks[0, :3], masks[1, 1:] = True, True
    assert confident(from_masks(masks, [0.6, 0.9]), 0.5).areas.tolist() == [12, 4]


def sided(name):
    torch.manual_seed(0)
    model = network(name) if name.startswith("maskrcnn") else build(name, "plain:4", 2)
    return model.eval()


@pytest.mark.parametrize("name", ["maskrcnn", "unet", "unet++ds"])
def test_every_case_is_judged_once_by_every_output(name):
    model, feed = sided(name), squares(3)
    cases = [Case(str(i), f"s{i}") for i in range(3)]
    ways = settle(model, feed, PLAN)
    assert tuple(ways) == outputs_of(model.spec)
    judged = list(judge_objects(model, ways, feed, cases, PLAN, "test"))
    counts = joined([one.counts for one in judged])
    assert sorted(counts.cases["case"]) == sorted([c.id for c in cases] * len(ways))
    assert (counts.cases["true"] == 4).all()
    assert all(one.labels.shape == (32, 32) and one.labels.dtype == np.int32 for one in judged)
    assert set(mean_scores(counts, "test")) == set(ways)


def test_average_precision_is_of_all_that_is_found_and_the_rest_of_what_is_sure():
    model, feed = sided("maskrcnn"), squares(2)
    cases = [Case(str(i), str(i)) for i in range(2)]
    (every, *_) = answers(model, feed, PLAN)
    ways = {"masks": way_of(model.spec, "masks")}
    counts = next(iter(judge_objects(model, ways, feed, cases, PLAN, "test"))).counts
    assert len(counts.detections) == len(every) > 0
    assert int(counts.cases["tp_50"].iloc[0] + counts.cases["fp_50"].iloc[0]) == len(apart(every, ways["masks"]).sure)


def test_the_least_score_is_chosen_on_the_validation_side(monkeypatch):
    model, feed = sided("maskrcnn"), squares(2)
    truths = [feed.masks(i, tuple(slice(0, n) for n in feed.spaces[i]))[0].numpy() for i in range(2)]

    def said(*_):
        for truth in truths:
            yield from_masks(np.stack([truth == n for n in (1, 2, 3, 4, 0)]), [0.99, 0.98, 0.97, 0.96, 0.6])

    monkeypatch.setattr("nestbench.find.answers", said)
    assert settle(model, feed, PLAN)["masks"].least == min(least for least in LEASTS if least > 0.6)


@pytest.mark.parametrize("name", ["maskrcnn", "unet"])
@pytest.mark.parametrize("stop_at", [1, 3, 4])
def test_what_is_chosen_can_be_stopped_at_each_case_while_answers_come_and_while_they_are_scored(name, stop_at):
    pauses = iter(range(1, 99))

    def pause():
        if next(pauses) == stop_at:
            raise StoppedError("now")

    with pytest.raises(StoppedError):
        settle(sided(name), squares(2), PLAN, pause)


@pytest.mark.parametrize("size", [(37, 50), (32, 32)])
def test_what_is_found_is_what_the_masks_are_and_few_of_them_are_ever_made_at_once(monkeypatch, size):
    model, made = sided("maskrcnn"), []

    def paste(masks, boxes, shape):
        made.append(len(masks))
        return paste_masks_in_image(masks, boxes, shape)

    images = torch.randn(1, 1, *size)
    with torch.no_grad():
        (whole,) = model(images, 0.0)
    monkeypatch.setattr("nestbench.model.detector.paste_masks_in_image", paste)
    (found,) = find(model, images, PLAN, 0.0)
    expected = from_masks((whole["masks"][:, 0] >= 0.5).numpy(), whole["scores"].numpy())
    np.testing.assert_array_equal(found.masks, expected.masks)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert sum(made) == len(whole["masks"]) > AT_ONCE >= max(made)


def test_a_detector_sees_pictures_whole_that_are_larger_than_its_windows():
    drawn = pictures([label_map((4, 4, 20, 20))])
    images = [drawn.images(0, tuple(slice(0, n) for n in drawn.spaces[0]))[:, 0]]
    windows = feed_of(images, [label_map((4, 4, 20, 20))], patch=16)
    model = sided("maskrcnn")
    (whole,), (cut,) = (list(answers(model, feed, PLAN)) for feed in (drawn, windows))
    np.testing.assert_array_equal(whole.scores, cut.scores)
    assert cut.shape == (32, 32)


def test_a_region_that_is_hardly_proposed_is_not_looked_at():
    model = sided("maskrcnn")
    images = torch.randn(1, 1, 32, 32)
    some, none = (len(find(model, images, PLAN, 0.0, proposed)[0]) for proposed in (0.0, 1.0))
    assert some > 0 == none
