import sys
from types import SimpleNamespace

import pytest
import torch

from nestbench.speed import energy
from nestbench.speed.energy import Meter, find_meter, joules_an_image


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=f"uuid-{index}"))


def nvml(monkeypatch, read):
    driver = SimpleNamespace(
        nvmlInit=lambda: None, nvmlDeviceGetHandleByUUID=str, nvmlDeviceGetTotalEnergyConsumption=read
    )
    monkeypatch.setitem(sys.modules, "pynvml", driver)


def test_a_cpu_has_no_meter():
    meter = find_meter("cpu")
    assert meter.read is None
    assert "CUDA" in meter.missing


def test_without_the_package_it_is_said_how_to_get_it(gpu, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert find_meter("cuda") == Meter(None, "energy: not measured (pip install 'nestbench[nvidia]')")


def test_the_meter_is_that_of_torchs_gpu_in_joules(gpu, monkeypatch):
    nvml(monkeypatch, lambda handle: {"GPU-uuid-1": 2500}[handle])
    meter = find_meter("cuda")
    assert meter.missing == ""
    assert meter.read() == 2.5


def test_a_meter_that_does_not_answer_is_said(gpu, monkeypatch):
    def fail(_):
        raise RuntimeError("Not Supported")

    nvml(monkeypatch, fail)
    meter = find_meter("cuda")
    assert meter.read is None
    assert "Not Supported" in meter.missing


def test_energy_is_shared_among_the_images_of_all_passes():
    passed, readings = [], iter([100.0, 180.0])
    joules = joules_an_image(Meter(lambda: next(readings)), lambda: passed.append(1), energy.SECONDS / 5, 4)
    assert len(passed) == 5
    assert joules == 80 / (5 * 4)


def test_a_slow_pass_is_run_once():
    passed, readings = [], iter([0.0, 7.0])
    assert joules_an_image(Meter(lambda: next(readings)), lambda: passed.append(1), 100.0, 1) == 7
    assert len(passed) == 1


def test_without_a_meter_nothing_is_run():
    assert joules_an_image(Meter(None, "none"), lambda: pytest.fail("it ran"), 0.1, 1) is None
