import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_lesson import fitting, network, weights

from nestbench.errors import StoppedError
from nestbench.losses import bce_dice
from nestbench.model import build
from nestbench.results.records import CHECKPOINT
from nestbench.results.stopped import ABOUT, read_stopped
from nestbench.train import Keeper, loop

IDENTITY = {"run": "this", "numbers": [1, 2.5]}


class StopAt:
    """Says stop at the n-th time that it is asked, once."""

    def __init__(self, when):
        self.asked, self.when = 0, when

    def __call__(self):
        self.asked += 1
        return self.asked == self.when


def history(epochs):
    return [(e.index, e.train_loss, e.validation_loss, e.validation_iou, e.best) for e in epochs]


def fresh(block="modern"):
    return network(block=block)


def in_pieces(path, stops, block="modern", **recipe):
    """Train in as many processes, as it were, as there are stops, and one more: the last network and its epochs."""
    for when in (*stops, None):
        keeper = Keeper(path, IDENTITY, StopAt(when), every=1e9)
        model = fresh(block)
        torch.rand(3)  # what another process drew
        try:
            return model, list(fitting(model, keeper=keeper, **recipe))
        except StoppedError:
            continue
    raise AssertionError("it never came to its end")


# An epoch asks 3 + 1 times: 12 images in batches of 4, and one batch of validation.
@settings(max_examples=12, deadline=None)
@given(stops=st.lists(st.integers(1, 16), max_size=3), schedule=st.sampled_from(["constant", "cosine", "plateau"]))
def test_a_run_that_was_stopped_anywhere_ends_as_one_that_was_not(tmp_path_factory, stops, schedule):
    path = tmp_path_factory.mktemp("run") / "checkpoint.safetensors"
    recipe = {"schedule": schedule, "block": "paper", "patience": 2}  # the paper's block draws dropout
    whole = fresh("paper")
    epochs = list(fitting(whole, schedule=schedule, patience=2))
    model, again = in_pieces(path, stops, **recipe)
    assert history(again) == history(epochs)
    assert torch.equal(weights(model), weights(whole))
    for name, value in whole.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def test_a_network_with_its_channels_last_goes_on_to_the_bit(tmp_path):
    def last():
        torch.manual_seed(0)
        return build("unet++", "plain:4", depth=2).to(memory_format=torch.channels_last)

    whole, part, model = last(), last(), last()
    list(fitting(whole))
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(StoppedError):
        list(fitting(part, keeper=Keeper(path, IDENTITY, StopAt(6))))
    list(fitting(model, keeper=Keeper(path, IDENTITY)))
    assert torch.equal(weights(model), weights(whole))


def test_a_checkpoint_says_how_far_its_run_is_without_its_tensors(tmp_path):
    assert read_stopped(tmp_path) is None
    seen = []
    with pytest.raises(StoppedError):
        seen.extend(fitting(fresh(), keeper=Keeper(tmp_path / CHECKPOINT, IDENTITY, StopAt(10))))
    assert history(read_stopped(tmp_path)) == history(seen) != []
    (tmp_path / CHECKPOINT).write_bytes((tmp_path / CHECKPOINT).read_bytes()[:1000])
    assert read_stopped(tmp_path) == []


def test_what_an_epoch_waited_for_its_batches_before_it_was_stopped_counts(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(StoppedError):
        list(fitting(fresh(), keeper=Keeper(path, IDENTITY, StopAt(3))))  # after the last step of the first epoch
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()[ABOUT])["facts"]
    assert 0 < facts["feeding"] < facts["seconds"]
    assert next(fitting(fresh(), keeper=Keeper(path, IDENTITY))).feeding >= facts["feeding"]


def test_a_checkpoint_of_a_version_that_did_not_note_the_waiting_is_gone_on_from(tmp_path):
    path, said = tmp_path / "checkpoint.safetensors", []
    with pytest.raises(StoppedError):
        list(fitting(fresh(), keeper=Keeper(path, IDENTITY, StopAt(6))))
    with safe_open(path, "pt") as file:
        content = json.loads(file.metadata()[ABOUT])
    del content["facts"]["feeding"]
    for epoch in content["facts"]["epochs"]:
        del epoch["feeding"], epoch["validating"]
    save_file(load_file(path), path, {ABOUT: json.dumps(content)})
    first, second, *others = fitting(fresh(), keeper=Keeper(path, IDENTITY, say=said.append))
    assert said == []
    assert (first.feeding, first.validating) == (None, None)
    assert second.feeding is None  # it was in the middle of that one
    assert second.validating > 0
    assert all(epoch.feeding > 0 for epoch in others)


class Clock:
    """Goes by what is done."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


def test_a_look_at_validation_that_is_stopped_and_made_again_counts_once(tmp_path, monkeypatch):
    path, clock = tmp_path / "checkpoint.safetensors", Clock()
    monkeypatch.setattr(loop, "time", clock)

    def timed(logits, masks):
        clock.now += 1 if logits.requires_grad else 100
        return bce_dice(logits, masks)

    with pytest.raises(StoppedError):
        list(fitting(fresh(), loss=timed, keeper=Keeper(path, IDENTITY, StopAt(4))))
    epoch = next(fitting(fresh(), loss=timed, keeper=Keeper(path, IDENTITY)))
    assert (epoch.seconds, epoch.validating) == (3 * 2 + 200, 200)  # two heads: three steps, and one look


def test_the_epochs_that_lie_behind_come_again_at_once(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(StoppedError):
        list(fitting(fresh(), keeper=Keeper(path, IDENTITY, StopAt(9))))
    going_on = fitting(fresh(), keeper=Keeper(path, IDENTITY, StopAt(1)))
    assert [next(going_on).index, next(going_on).index] == [0, 1]
    with pytest.raises(StoppedError):
        next(going_on)


def test_a_checkpoint_is_written_when_it_is_time(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    next(fitting(fresh(), keeper=Keeper(path, IDENTITY, every=1e9)))
    assert not path.exists()
    next(fitting(fresh(), keeper=Keeper(path, IDENTITY, every=0)))
    assert path.exists()


@pytest.mark.parametrize("recipe", [{}, {"epochs": 50, "learning_rate": 1e-9, "patience": 1}])
def test_training_that_has_ended_is_gone_on_from_without_a_step(tmp_path, recipe):
    path = tmp_path / "checkpoint.safetensors"
    whole, again = fresh(), fresh()
    epochs = list(fitting(whole, keeper=Keeper(path, IDENTITY, every=1e9), **recipe))
    assert history(fitting(again, keeper=Keeper(path, IDENTITY, StopAt(1)), **recipe)) == history(epochs)
    assert torch.equal(weights(again), weights(whole))


@pytest.mark.parametrize(("when", "trained"), [(14, True), (15, False), (16, False)])
def test_a_keeper_knows_whether_a_step_was_still_to_be_taken_and_not_validation_alone(tmp_path, when, trained):
    first, second = (Keeper(tmp_path / "c", IDENTITY, StopAt(one), every=1e9) for one in (when, None))
    with pytest.raises(StoppedError):
        list(fitting(fresh(), keeper=first))
    assert len(list(fitting(fresh(), keeper=second))) == 4
    assert (first.trained, second.trained) == (True, trained)


def stopped(path, block="modern"):
    with pytest.raises(StoppedError):
        list(fitting(fresh(block), keeper=Keeper(path, IDENTITY, StopAt(6))))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path):
    path.write_bytes(b"")


def without_a_tensor(path):
    tensors = load_file(path)
    with_facts = {"nestbench.checkpoint": json.dumps({"identity": IDENTITY, "facts": {}})}
    save_file(dict(list(tensors.items())[1:]), path, with_facts)


def of_another_network(path):
    stopped(path, block="paper")


@pytest.mark.parametrize("spoil", [cut, emptied, without_a_tensor, of_another_network])
def test_a_damaged_checkpoint_is_named_and_the_run_begins_anew(tmp_path, spoil):
    path = tmp_path / "checkpoint.safetensors"
    stopped(path)
    spoil(path)
    said, whole, model = [], fresh(), fresh()
    expected = history(fitting(whole))
    assert history(fitting(model, keeper=Keeper(path, IDENTITY, say=said.append))) == expected
    assert torch.equal(weights(model), weights(whole))
    assert len(said) == 1
    assert str(path) in said[0]


def test_a_checkpoint_of_another_run_is_not_gone_on_from(tmp_path):
    path, said = tmp_path / "checkpoint.safetensors", []
    stopped(path)
    epochs = fitting(fresh(), keeper=Keeper(path, IDENTITY | {"run": "that"}, StopAt(1), said.append))
    with pytest.raises(StoppedError):
        next(epochs)
    assert "of another run" in said[0]
