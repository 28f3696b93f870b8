import pytest
import torch

from nestbench.machine import Plan, device_name, environment, memory_of, wait


def test_the_environment_names_processor_and_versions():
    found = environment(Plan("cpu", "float32", "contiguous", 1))
    assert found["device"] == device_name("cpu") != ""
    assert {"nestbench", "torch", "timm", "optuna", "numpy", "python", "cores", "platform"} <= set(found)
    assert all(found.values())


def test_the_machine_has_more_memory_than_this_test_but_not_without_end():
    assert 2**28 < memory_of("cpu") < 2**50


@pytest.mark.parametrize(("device", "waited"), [("cpu", 0), ("cuda", 1)])
def test_only_a_gpu_is_waited_for(monkeypatch, device, waited):
    times = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: times.append(1))
    wait(device)
    assert len(times) == waited
