"""Folding what is made larger into the convolution after it changes nothing but the last digits."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nestbench.encoders.blocks import BLOCKS, ProjectedUp
from nestbench.machine import Plan
from nestbench.model import build, fold, prune

PLAIN = lambda *_: False  # noqa: E731


def node(channels, skips):
    torch.manual_seed(0)
    block = BLOCKS["modern"]
    return block.convolve(channels + sum(skips), channels), block.up(2 * channels, channels)


def found(block, up, below, skips):
    inputs = [one.clone().requires_grad_() for one in (below, *skips)]
    value = fold.on_raised(block, up, inputs[0] * 1, [one * 1 for one in inputs[1:]])
    value.square().mean().backward()
    taken = [*inputs, *block.parameters(), *up.parameters()]
    gradients = [one.grad for one in taken]
    for one in (*block.parameters(), *up.parameters()):
        one.grad = None
    return [value.detach(), *gradients]


@settings(max_examples=40, deadline=None)
@given(
    channels=st.integers(1, 5),
    skips=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    side=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    last=st.booleans(),
)
def test_values_and_gradients_are_those_of_the_plain_network(channels, skips, side, last):
    block, up = (part.double() for part in node(channels, skips))
    layout = torch.channels_last if last else torch.contiguous_format
    fine = tuple(2 * n for n in side)
    below = torch.randn(2, 2 * channels, *side, dtype=torch.float64).contiguous(memory_format=layout)
    sides = [torch.randn(2, c, *fine, dtype=torch.float64).contiguous(memory_format=layout) for c in skips]
    assert fold._folds(up, below, sides[0])
    folded = found(block, up, below, sides)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold, "_folds", PLAIN)
        plain = found(block, up, below, sides)
    for ours, theirs in zip(folded, plain, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("fine", [(7, 8), (9, 8), (8, 16)])
def test_a_side_that_does_not_double_is_brought_up_as_ever(fine):
    block, up = node(3, [2])
    assert isinstance(up, ProjectedUp)
    below, skip = torch.randn(2, 6, 4, 4), torch.randn(2, 2, *fine)
    assert not fold._folds(up, below, skip)
    assert fold.on_raised(block, up, below, [skip]).shape == (2, 3, *fine)


def test_the_papers_block_has_nothing_to_fold():
    below, skip = torch.randn(1, 4, 4, 4), torch.randn(1, 2, 8, 8)
    assert not fold._folds(BLOCKS["paper"].up(4, 2, 2), below, skip)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_pruned_network_still_equals_its_head_to_the_bit(precision):
    torch.manual_seed(0)
    plan = Plan("cpu", precision, "channels-last", 1)
    model, image = plan.place(build("unet++ds", "plain:8", 3)).eval(), plan.arrange(torch.randn(2, 1, 32, 48))
    with torch.no_grad(), plan.autocast():
        whole = model(image)
        assert all(torch.equal(prune(model, depth)(image)[depth], logits) for depth, logits in whole.items())


def test_a_block_of_another_kind_is_applied_as_ever():
    """A plugin's, or one that somebody wrapped."""

    class Wrapped(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, joined):
            return self.inner(joined)

    block, up = node(3, [2])
    below, skip = torch.randn(2, 6, 4, 4), torch.randn(2, 2, 8, 8)
    torch.testing.assert_close(
        fold.on_raised(Wrapped(block), up, below, [skip]), fold.on_raised(block, up, below, [skip])
    )
