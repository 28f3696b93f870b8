import pytest
import segmentation_models_pytorch as smp
import torch
from hypothesis import given
from hypothesis import strategies as st

from nestbench.losses import SMOOTH, bce_dice, dice

LOSSES = [bce_dice, dice]


def target(classes, seed=0):
    return torch.randint(0, classes, (2, 8, 8), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_perfect_answer_costs_nothing(loss):
    binary, several = target(2), target(4)
    sure = 100.0 * (2 * binary[:, None].float() - 1)
    assert loss(sure, binary).item() == pytest.approx(0, abs=1e-4)
    one_hot = 100.0 * torch.nn.functional.one_hot(several, 4).movedim(-1, 1).float()
    assert loss(one_hot, several).item() == pytest.approx(0, abs=1e-4)


@given(st.integers(0, 10_000))
def test_two_classes_by_one_logit_or_by_two_give_the_same_loss(seed):
    logit = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    pair = torch.cat([torch.zeros_like(logit), logit], dim=1)
    for loss in LOSSES:
        assert loss(logit, target(2, seed)).item() == pytest.approx(loss(pair, target(2, seed)).item(), rel=1e-5)


def test_the_dice_of_an_example_by_hand():
    logits = torch.full((1, 1, 2, 2), 0.0)
    truth = torch.tensor([[[1, 0], [0, 0]]])
    assert dice(logits, truth).item() == pytest.approx(1 - (2 * 0.5 + 1) / (2 + 1 + 1))


def test_the_cross_entropy_counts_half():
    logits = torch.zeros(1, 1, 2, 2)
    truth = torch.zeros(1, 2, 2, dtype=torch.long)
    assert (bce_dice(logits, truth) - dice(logits, truth)).item() == pytest.approx(0.5 * 0.693147, rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("classes", [1, 3])
def test_an_empty_mask_has_a_finite_gradient(loss, classes):
    logits = torch.randn(2, classes, 8, 8, requires_grad=True)
    loss(logits, torch.zeros(2, 8, 8, dtype=torch.long)).backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_down_the_gradient_lowers_the_loss(loss):
    logits = torch.randn(2, 3, 8, 8, requires_grad=True)
    before = loss(logits, target(3))
    before.backward()
    assert loss(logits.detach() - 0.5 * logits.grad / logits.grad.norm(), target(3)) < before


@given(st.integers(0, 10_000))
def test_the_dice_is_that_of_segmentation_models_pytorch(seed):
    # Theirs counts the intersection once, so half the smoothing is the same.
    generator = torch.Generator().manual_seed(seed)
    binary, several = (torch.randn(2, k, 8, 8, generator=generator) for k in (1, 3))
    theirs = smp.losses.DiceLoss("binary", smooth=SMOOTH / 2)(binary, target(2, seed)[:, None])
    torch.testing.assert_close(dice(binary, target(2, seed)), theirs)
    theirs = smp.losses.DiceLoss("multiclass", classes=[1, 2], smooth=SMOOTH / 2)(several, target(3, seed))
    torch.testing.assert_close(dice(several, target(3, seed)), theirs)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("classes", [1, 3])
def test_a_volume_costs_what_its_pixels_cost_in_any_shape(loss, classes):
    logits, truth = torch.randn(2, classes, 4, 6, 5), torch.randint(0, max(classes, 2), (2, 4, 6, 5))
    torch.testing.assert_close(loss(logits, truth), loss(logits.reshape(2, classes, 24, 5), truth.reshape(2, 24, 5)))
