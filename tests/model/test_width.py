"""A decoder's width: doubled from level to level, or given for each level."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nestbench.errors import RequestError
from nestbench.model import construct
from nestbench.model.build import count_parameters, specify
from nestbench.model.spec import read_spec


def widened(width, depth=3):
    return replace(specify("unet++", "plain:4", depth), width=width)


def test_doubled_widths_may_be_written_out():
    assert count_parameters(widened(5)) == count_parameters(widened((5, 10, 20)))


@settings(max_examples=10)
@given(width=st.tuples(*[st.integers(1, 6)] * 3))
def test_each_level_has_its_own_channels_and_the_file_keeps_them(width):
    spec = widened(width)
    assert read_spec(spec.to_json() | {"width": list(width)}) == spec
    nodes = construct(spec).nodes
    assert [nodes[f"x{level}_1"][3].out_channels for level in range(3)] == list(width)


def test_a_pruned_network_keeps_the_widths_of_its_levels():
    spec = replace(specify("unet++ds", "plain:4", 3), width=(3, 5, 2))
    whole = construct(spec)
    small = construct(spec.prune(1))
    assert small.nodes["x0_1"][0].weight.shape == whole.nodes["x0_1"][0].weight.shape
    assert small(torch.zeros(1, 1, 8, 8))[1].shape == (1, 1, 8, 8)


@pytest.mark.parametrize("width", [0, (4, 0, 4), (4, 8), (4, 8.0, 16), (4, None, 16), ()])
def test_a_wrong_width_is_refused(width):
    with pytest.raises(RequestError, match="width"):
        widened(width)
