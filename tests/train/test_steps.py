import copy

import pytest
import torch
from small_lesson import PLAN, network, weights
from torch.nn import functional

from nestbench.losses import bce_dice
from nestbench.train import gradients, total_loss, training_step


def test_each_head_enters_the_loss_alike():
    model = network().eval()
    images, masks = torch.randn(2, 1, 16, 16), torch.randint(0, 2, (2, 16, 16))
    parts = [bce_dice(logits, masks) for logits in model(images).values()]
    torch.testing.assert_close(total_loss(model, images, masks, bce_dice, PLAN), sum(parts))


def entropy(logits, masks):
    return functional.binary_cross_entropy_with_logits(logits[:, 0], masks.float())


def stepped(model, images, masks, parts):
    """The loss of one step, and the weights after it, by plain gradient descent: Adam would hide a wrong scale."""
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    loss = training_step(gradients(model, entropy, PLAN, parts), optimiser, images, masks)
    return float(loss), weights(model).clone()


@pytest.mark.parametrize("count", [8, 7])
def test_a_batch_in_parts_takes_the_same_step_where_images_do_not_see_each_other(count):
    torch.manual_seed(0)
    whole = network().eval()  # batch norm looks at the batch
    images, masks = torch.randn(count, 1, 16, 16), torch.randint(0, 2, (count, 16, 16))
    (loss, moved), (parted_loss, parted) = (stepped(copy.deepcopy(whole), images, masks, parts) for parts in (1, 3))
    assert parted_loss == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(parted, moved, rtol=1e-4, atol=1e-6)
    assert not torch.equal(moved, weights(whole))


def test_a_part_has_two_images_at_least():
    seen = []
    model = network()
    model.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    stepped(model, torch.randn(5, 1, 16, 16), torch.zeros(5, 16, 16, dtype=torch.long), parts=99)
    assert seen == [3, 2]
