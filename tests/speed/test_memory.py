import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestbench.errors import RequestError, RunError
from nestbench.machine import Plan
from nestbench.model.build import count_parameters, specify
from nestbench.speed import memory
from nestbench.speed.memory import least_memory, peak_memory

GIB = 2**30


def test_a_network_holds_at_least_its_weights_and_its_largest_layer():
    spec = specify("unet:1", "plain:4")
    largest = 4 * 16 * 4 * 256**2
    found = peak_memory(spec, 256, 16, Plan("cpu", "float32", "contiguous", 1), "torch")
    assert 4 * count_parameters(spec) + largest <= found.network < 20 * largest
    assert 2 * largest <= least_memory(spec, 256, 16, "float32") <= found.network < found.process


@settings(max_examples=6, deadline=None)
@given(st.sampled_from(["unet", "unet++ds", "smp:Unet"]), st.integers(1, 10**30))
def test_the_least_memory_grows_with_the_batch_and_with_the_bytes_of_a_number(name, batch):
    spec = specify(name, "smp:resnet18" if name.startswith("smp") else "plain:2", 3)
    one = least_memory(spec, 16, 1, "float32")
    assert one >= 4 * 16**2
    assert least_memory(spec, 16, batch, "float32") == 2 * least_memory(spec, 16, batch, "bfloat16") == batch * one


def test_what_a_device_does_not_have_is_refused_with_both_amounts(monkeypatch):
    monkeypatch.setattr(memory, "memory_of", lambda device: 3 * GIB)
    memory.refuse_beyond("a batch", 3 * GIB, "cpu")
    with pytest.raises(RequestError, match="a batch takes at least 4 GiB of memory, and the device 'cpu' has 3 GiB"):
        memory.refuse_beyond("a batch", 3 * GIB + 1, "cpu")


def _dies(*asked):
    os._exit(1)


def test_a_process_that_dies_is_told(monkeypatch):
    monkeypatch.setattr(memory, "_measured", _dies)
    with pytest.raises(RunError, match="has died: was there too little"):
        peak_memory(specify("unet:1", "plain:1"), 2, 1, Plan("cpu", "float32", "contiguous", 1), "torch")
