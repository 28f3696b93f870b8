import itertools
import time
from dataclasses import replace

import pytest
import torch
from small_lesson import fitting, lesson, network, weights

from nestbench.datasets.feed import Feed
from nestbench.errors import RunError
from nestbench.train import fit


@pytest.mark.parametrize("name", ["unet", "unet++ds"])
def test_a_network_learns(name):
    epochs = list(fitting(network(name), epochs=12))
    assert epochs[-1].train_loss < 0.5 * epochs[0].train_loss
    assert max(e.validation_iou for e in epochs) > 0.9


@pytest.mark.parametrize("block", ["modern", "paper"])  # the paper's block draws dropout
def test_training_is_a_function_of_the_seed(block):
    first, again, other = network(block=block), network(block=block), network(block=block)
    history, repeated = list(fitting(first)), list(fitting(again))
    list(fitting(other, seed=1))
    assert [e.validation_loss for e in history] == [e.validation_loss for e in repeated]
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


def test_random_numbers_drawn_between_epochs_change_nothing():
    first, disturbed = network(block="paper"), network(block="paper")
    list(fitting(first))
    for _ in fitting(disturbed):
        torch.rand(7)
    assert torch.equal(weights(first), weights(disturbed))


def test_stopping_early_keeps_the_best_epochs_weights():
    model, whole = network(), network()
    epochs, kept = [], []
    generator = fitting(model, epochs=6)
    for epoch in generator:
        epochs.append(epoch)
        kept.append(weights(model).clone())
        if len(epochs) == 4:
            generator.close()
    best = max((e.index for e in epochs if e.best), default=0)
    assert torch.equal(weights(model), kept[best])
    assert best == max(range(4), key=lambda i: (epochs[i].validation_iou, -i))
    assert len(list(fitting(whole, epochs=6))) == 6


def test_the_seconds_of_an_epoch_hold_those_of_its_batches_and_of_its_validation():
    waiting = 0.05

    class Slow(Feed):
        def taken(self, parts, draws):
            for batch in super().taken(parts, draws):
                time.sleep(waiting)
                yield batch

    def look(model, pause):
        time.sleep(2 * waiting)
        return one.validate(model, pause)

    one = lesson(epochs=2)
    slow = replace(one, training=Slow(**vars(one.training)), validate=look)
    for epoch in fit(network(), slow):
        assert epoch.feeding >= 3 * waiting  # twelve images by four
        assert epoch.validating >= 2 * waiting
        assert epoch.seconds > epoch.feeding + epoch.validating


def test_training_ends_when_patience_does():
    epochs = list(fitting(network(), epochs=50, learning_rate=1e-9, patience=3))
    best = max(e.index for e in epochs if e.best)
    assert len(epochs) == best + 4 < 50


def test_the_loss_of_one_head_and_of_several_can_be_compared():
    epoch = next(fitting(network(), learning_rate=1e-9))
    assert 0.3 < epoch.train_loss < 2.5


def test_a_loss_that_is_not_finite_fails_the_run_with_the_epoch():
    def broken(logits, masks):
        return logits.sum() * float("nan")

    with pytest.raises(RunError, match="the training loss became nan in epoch 1"):
        list(fitting(network(), loss=broken))


def test_a_validation_loss_that_is_not_finite_fails_the_run_too():
    def broken(logits, masks):
        return logits.sum() * (1.0 if logits.requires_grad else float("inf"))

    with pytest.raises(RunError, match=r"the validation loss became -?(inf|nan) in epoch 1"):
        list(fitting(network(), loss=broken))


def test_the_cosine_schedule_ends_near_zero():
    model = network()
    steps = [weights(model).clone()]
    for _ in fitting(model, epochs=6, schedule="cosine"):
        steps.append(weights(model).clone())
    moved = [(b - a).norm() for a, b in itertools.pairwise(steps)]
    assert moved[-1] < 0.3 * moved[0]


def test_a_run_on_a_plateau_moves_less_before_it_ends():
    model = network()
    steps = [weights(model).clone()]
    for _ in fitting(model, epochs=60, schedule="plateau", patience=4):
        steps.append(weights(model).clone())
    moved = [(b - a).norm() for a, b in itertools.pairwise(steps)]
    assert len(moved) < 60
    assert moved[-1] < 0.5 * moved[0]
