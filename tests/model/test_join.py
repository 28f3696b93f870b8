"""A block on joined feature maps computes what torch's concatenation does, and keeps less for the way back."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef

from nestbench.encoders.blocks import CONVOLUTION
from nestbench.model.join import on_joined

LAYOUTS = {2: (torch.contiguous_format, torch.channels_last), 3: (torch.contiguous_format, torch.channels_last_3d)}


def parts(channels, dims, last):
    torch.manual_seed(0)
    shapes = [(2, c, *(3,) * dims) for c in channels]
    return [torch.randn(s).contiguous(memory_format=LAYOUTS[dims][last]).requires_grad_() for s in shapes]


def block(channels, dims):
    torch.manual_seed(1)
    return nn.Sequential(CONVOLUTION[dims](channels, 2, 3, padding=1), nn.ReLU(inplace=True))


@settings(max_examples=30)
@given(channels=st.lists(st.integers(1, 5), min_size=1, max_size=4), dims=st.sampled_from([2, 3]), last=st.booleans())
def test_values_and_gradients_are_those_of_a_plain_concatenation(channels, dims, last):
    found = []
    for way in (on_joined, lambda block, parts: block(torch.cat(parts, dim=1))):
        inputs, layer = parts(channels, dims, last), block(sum(channels), dims)
        # Each part is read twice, as nodes are, so that gradients are added up.
        values = way(layer, [part * 2 for part in inputs])
        (values.square().sum() + sum(part.sum() for part in inputs)).backward()
        found.append([values, *(p.grad for p in (*inputs, *layer.parameters()))])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*found, strict=True))


@pytest.mark.parametrize("dims", [2, 3])
def test_with_the_channels_last_the_gradient_of_a_part_is_dense(dims):
    seen = []
    first, second = (part * 1 for part in parts([3, 2], dims, True))
    first.register_hook(seen.append)
    on_joined(block(5, dims), [first, second]).sum().backward()
    assert seen[0].is_contiguous(memory_format=LAYOUTS[dims][1])


def test_the_joined_map_is_not_kept_for_the_way_back():
    joined = []

    class Watched(nn.Conv2d):
        def forward(self, values):
            joined.append(StorageWeakRef(values.untyped_storage()))
            return super().forward(values)

    values = on_joined(Watched(5, 2, 3), parts([3, 2], 2, True))
    assert joined[0].expired()
    values.sum().backward()


def test_a_part_that_is_changed_in_place_afterwards_is_found():
    first, second = (part * 1 for part in parts([3, 2], 2, True))
    values = on_joined(block(5, 2), [first, second])
    first.add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        values.sum().backward()


def test_without_gradients_nothing_is_kept():
    with torch.no_grad():
        assert on_joined(block(3, 2), parts([1, 2], 2, True)).grad_fn is None
