import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_lesson import weights
from small_objects import PLAN, label_map, many, network, pictures, squares
from torch.utils._python_dispatch import TorchDispatchMode

from nestbench.datasets.augment import draws, move
from nestbench.errors import StoppedError
from nestbench.study.schema import Recipe
from nestbench.train import Keeper, fit, object_gradients, objects_lesson, training_step
from nestbench.train.objects import targets, validate_objects

ODD = {
    "an image without objects": [label_map(), label_map((4, 4, 12, 12))],
    "no object in any image": [label_map(), label_map()],
    "an object of one pixel": [label_map((9, 9, 10, 10)), label_map((31, 31, 32, 32))],
    "objects that touch the border": [label_map((0, 0, 9, 32), (20, 28, 32, 32)), label_map((0, 0, 32, 32))],
    "overlapping boxes": [label_map((4, 4, 24, 24), (8, 8, 20, 20), (10, 0, 14, 32))] * 2,
    "1,500 objects": [many(), many()],
}


@pytest.mark.parametrize("case", ODD)
def test_odd_batches_are_learnt_from_and_judged(case):
    model, feed = network(), pictures(ODD[case])
    optimiser = torch.optim.SGD(model.parameters(), 0.01)
    images, labels = feed.take([(0, 0, 0, 0), (1, 0, 0, 0)])
    before = weights(model).clone()
    loss = training_step(object_gradients(model.train(), PLAN), optimiser, images, labels.long())
    assert torch.isfinite(loss)
    assert torch.isfinite(weights(model)).all()
    assert not torch.equal(weights(model), before)
    loss, score = validate_objects(model, feed, PLAN)
    assert np.isfinite(loss)
    assert 0 <= score <= 1


def test_where_nothing_is_to_be_found_finding_nothing_is_right():
    model = network().eval()
    model.rcnn.roi_heads.box_predictor.cls_score.bias.data = torch.tensor([50.0, 0.0])
    assert validate_objects(model, pictures([label_map(), label_map()]), PLAN)[1] == 1
    assert validate_objects(model, pictures([label_map((2, 2, 9, 9))] * 2), PLAN)[1] == 0


@given(arrays(np.int32, (9, 13), elements=st.sampled_from([0, 0, 1, 2, 70_000])))
def test_targets_are_the_objects_of_a_label_map(labels):
    found = targets(torch.from_numpy(labels))
    numbers = [number for number in np.unique(labels) if number]
    assert found["labels"].tolist() == [1] * len(numbers)
    for number, box, mask in zip(numbers, found["boxes"].tolist(), found["masks"].numpy(), strict=True):
        np.testing.assert_array_equal(mask, labels == number)
        rows, columns = np.nonzero(labels == number)
        assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_masks_of_targets_are_made_once_and_not_copied():
    stores = set()

    class Seen(TorchDispatchMode):
        def __torch_dispatch__(self, function, _, arguments=(), options=None):
            made = function(*arguments, **(options or {}))
            if isinstance(made, torch.Tensor) and made.numel() == 1500 * 96**2:
                stores.add(made.untyped_storage().data_ptr())
            return made

    with Seen():
        masks = targets(many())["masks"]
    assert masks.dtype == torch.uint8
    assert stores == {masks.untyped_storage().data_ptr()}


def test_objects_move_with_their_image():
    labels = torch.stack([label_map((2, 3, 9, 20), (15, 15, 30, 18))] * 8)[:, None]
    draw = draws(0, 0, 8)
    moved = move(labels, draw)[:, 0]
    seen = move((labels > 0).float(), draw)[:, 0]
    assert len({tuple(one.flatten().tolist()) for one in moved}) > 1
    for one, mask in zip(moved, seen, strict=True):
        found = targets(one)
        assert torch.equal(found["masks"].sum(dim=0) > 0, mask > 0)
        assert sorted(found["masks"].flatten(1).sum(dim=1).tolist()) == [45, 119]


def test_an_object_that_a_window_cuts_away_is_no_target():
    cut = label_map((0, 0, 5, 5), (20, 20, 30, 30))[:16, :16]
    assert targets(cut)["boxes"].tolist() == [[0, 0, 5, 5]]


def lesson(**recipe):
    settings = Recipe.model_validate({"epochs": 2, "batch": 4, "learning_rate": 0.002} | recipe)
    return objects_lesson(squares(), squares(seed=1), settings, 0, PLAN)


def test_a_detector_learns():
    epochs = list(fit(network(), lesson(epochs=6, learning_rate=0.005)))
    assert epochs[-1].train_loss < 0.75 * epochs[0].train_loss
    assert epochs[-1].validation_loss < epochs[0].validation_loss


@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_a_detectors_run_that_was_stopped_goes_on_to_the_bit(tmp_path, stop_at):
    whole, stopped = network(), network()
    expected = list(fit(whole, lesson()))
    pauses = iter(range(99))
    with pytest.raises(StoppedError):
        list(fit(stopped, lesson(), Keeper(tmp_path / "c", {}, lambda: next(pauses) == stop_at, every=1e9)))
    again = network()
    found = list(fit(again, lesson(), Keeper(tmp_path / "c", {})))
    assert torch.equal(weights(again), weights(whole))
    assert [(e.train_loss, e.validation_loss) for e in found] == [(e.train_loss, e.validation_loss) for e in expected]


def test_a_batch_in_parts_is_a_mean_over_its_parts():
    model = network().eval()
    feed = squares(4)
    images, labels = feed.take([(i, 0, 0, 0) for i in range(4)])
    optimiser = torch.optim.SGD(model.parameters(), 0.0)
    torch.manual_seed(0)
    parted = training_step(object_gradients(model, PLAN, parts=2), optimiser, images, labels.long())
    torch.manual_seed(0)
    whole = object_gradients(model, PLAN)
    halves = [training_step(whole, optimiser, images[i : i + 2], labels[i : i + 2].long()) for i in (0, 2)]
    torch.testing.assert_close(parted, sum(halves) / 2)
