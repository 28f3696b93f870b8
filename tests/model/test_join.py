"""Joined feature maps are torch's concatenation, and their gradients have a block of their own."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nestbench.model.join import join

LAYOUTS = {4: (torch.contiguous_format, torch.channels_last), 5: (torch.contiguous_format, torch.channels_last_3d)}


def parts(channels, dims, layout, side=3):
    torch.manual_seed(0)
    shapes = [(2, c, *(side,) * dims) for c in channels]
    return [torch.randn(shape).contiguous(memory_format=layout).requires_grad_() for shape in shapes]


@given(channels=st.lists(st.integers(1, 5), min_size=1, max_size=4), dims=st.sampled_from([2, 3]), last=st.booleans())
def test_values_and_gradients_are_those_of_torch(channels, dims, last):
    ours, theirs = (parts(channels, dims, LAYOUTS[dims + 2][last]) for _ in range(2))
    joined, plain = join(ours), torch.cat(theirs, dim=1)
    assert torch.equal(joined, plain)
    weight = torch.randn_like(plain)
    torch.autograd.backward([(joined * weight).sum(), (plain * weight).sum()])
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("dims", [2, 3])
def test_with_the_channels_last_the_gradient_of_a_part_is_dense(dims):
    last = LAYOUTS[dims + 2][1]
    seen = []
    first, second = (part * 1 for part in parts([3, 2], dims, last))
    first.register_hook(seen.append)
    join([first, second]).sum().backward()
    assert seen[0].is_contiguous(memory_format=last)


def test_without_gradients_nothing_but_the_concatenation_happens():
    with torch.no_grad():
        assert join(parts([1, 2], 2, torch.channels_last)).grad_fn is None
