import itertools

import pytest
import torch
from drawn_feed import feed_of

from nestbench.errors import RunError
from nestbench.losses import bce_dice
from nestbench.machine import Plan
from nestbench.model import build
from nestbench.study.schema import Recipe
from nestbench.train import LearningRate, fit, total_loss

PLAN = Plan("cpu", "float32", "contiguous", 1)


def squares(n=12, size=16, seed=0):
    """Bright squares on noise: what a network must learn to outline."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 60, (n, 1, size, size), dtype=torch.uint8, generator=generator)
    masks = torch.zeros(n, size, size, dtype=torch.uint8)
    for i in range(n):
        masks[i, i % 8 : i % 8 + 6, 3:11] = 1
    return feed_of(images + 120 * masks[:, None], masks)


def network(name="unet++ds", block="modern"):
    torch.manual_seed(0)
    return build(name, "plain:4", depth=2, block=block)


def fitting(model, loss=bce_dice, seed=0, **recipe):
    settings = Recipe.model_validate({"epochs": 4, "batch": 4, "learning_rate": 0.01} | recipe)
    return fit(model, squares(), squares(seed=1), settings, loss, seed, PLAN)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


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


def test_training_ends_when_patience_does():
    epochs = list(fitting(network(), epochs=50, learning_rate=1e-9, patience=3))
    best = max(e.index for e in epochs if e.best)
    assert len(epochs) == best + 4 < 50


def test_each_head_enters_the_loss_alike():
    model = network().eval()
    images, masks = torch.randn(2, 1, 16, 16), torch.randint(0, 2, (2, 16, 16))
    parts = [bce_dice(logits, masks) for logits in model(images).values()]
    torch.testing.assert_close(total_loss(model, images, masks, bce_dice, PLAN), sum(parts))


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


def test_the_plateau_schedule_falls_when_half_of_patience_brought_nothing_better():
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    rate = LearningRate(optimiser, Recipe(schedule="plateau", patience=4), steps=1)
    rates = []
    for iou in (0.5, 0.6, 0.6, 0.59, 0.61, 0.6, 0.6, 0.6, 0.6):
        rate.after_epoch(iou)
        rates.append(round(optimiser.param_groups[0]["lr"], 6))
    assert rates == [1, 1, 1, 0.2, 0.2, 0.2, 0.04, 0.04, 0.008]


def test_a_run_on_a_plateau_moves_less_before_it_ends():
    model = network()
    steps = [weights(model).clone()]
    for _ in fitting(model, epochs=60, schedule="plateau", patience=4):
        steps.append(weights(model).clone())
    moved = [(b - a).norm() for a, b in itertools.pairwise(steps)]
    assert len(moved) < 60
    assert moved[-1] < 0.5 * moved[0]
