import sys

import pytest
import torch

from nestbench.machine import Plan
from nestbench.model.build import count_parameters, specify
from nestbench.speed.memory import begin_anew, held, peak_memory

MIB = 2**20


def test_a_network_holds_at_least_its_weights_and_its_largest_layer():
    spec = specify("unet:1", "plain:4")
    largest = 4 * 16 * 4 * 256**2
    found = peak_memory(spec, 256, 16, Plan("cpu", "float32", "contiguous", 1), "torch")
    assert 4 * count_parameters(spec) + largest <= found.network < 20 * largest
    assert found.process > found.network


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak")
def test_the_peak_counts_what_was_freed_again():
    begin_anew("cpu")
    before = held("cpu")
    torch.ones(256 * MIB // 4)
    assert held("cpu") >= before + 200 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak")
def test_a_peak_is_forgotten():
    torch.ones(256 * MIB // 4)
    before = held("cpu")
    begin_anew("cpu")
    assert held("cpu") < before - 128 * MIB
