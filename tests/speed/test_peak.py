import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nestbench.machine import Plan
from nestbench.speed import peak as peaks
from nestbench.speed.peak import convolutions, peak


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("layout", ["contiguous", "channels-last"])
def test_operations_of_a_convolution_are_those_that_torch_counts(precision, layout, monkeypatch):
    monkeypatch.setattr(peaks, "SHAPES", ((4, 9), (2, 12)))
    for one in convolutions(Plan("cpu", precision, layout, 1)):
        with FlopCounterMode(display=False) as counter:
            one.work()
        assert counter.get_total_flops() == one.flops


def test_every_shape_is_as_much_work():
    assert len({channels * side for channels, side in peaks.SHAPES}) == 1


def test_the_peak_is_the_fastest_by_its_median():
    taken = np.array([[1.0, 2.0], [0.001, 2.0], [1.0, 1.9]])
    assert peak(taken, [10, 40]) == 20


def test_the_passes_leave_torch_as_it_was(monkeypatch):
    monkeypatch.setattr(peaks, "SHAPES", ((2, 4),))
    convolutions(Plan("cpu", "float32", "contiguous", 1))[0].work()
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
