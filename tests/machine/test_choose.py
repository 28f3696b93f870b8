import pytest
import torch

from nestbench.errors import RequestError
from nestbench.machine import Plan, choose_plan, cores
from nestbench.machine.measure import EAGER, WAYS


@pytest.fixture
def told(monkeypatch):
    """Say what the machine takes in each way, in the order of EAGER."""

    def tell(*seconds):
        measured = {way: [one] for way, one in zip(EAGER, seconds, strict=True)}
        monkeypatch.setattr("nestbench.machine.calibrate.time_ways", lambda device, threads: measured)

    return tell


def test_the_plan_is_what_was_measured_to_be_the_fastest(told, tmp_path):
    told(4.0, 3.0, 2.0, 1.0)
    assert choose_plan("cpu", cache=tmp_path) == Plan("cpu", "bfloat16", "channels-last", cores())


def test_a_gpus_plan_is_what_was_measured_on_that_gpu(monkeypatch, tmp_path):
    """Neither the processor's record nor another GPU's is taken for it."""
    names = {"cpu": "a processor", "cuda": "a GPU"}
    fastest = {"a processor": EAGER[3], "a GPU": WAYS["cuda"][6], "another GPU": EAGER[1]}
    timed = []

    def time_ways(device, threads):
        timed.append(names[device])
        return {way: [1.0 if way == fastest[names[device]] else 2.0] for way in WAYS[device]}

    monkeypatch.setattr("nestbench.machine.calibrate.time_ways", time_ways)
    monkeypatch.setattr("nestbench.machine.calibrate.device_name", names.get)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for name in ("a GPU", "another GPU", "a GPU"):
        names["cuda"] = name
        for device in ("cpu", "cuda"):
            plan = choose_plan(device, cache=tmp_path)
            assert plan == fastest[names[device]].plan(device, cores())
    assert timed == ["a processor", "a GPU", "another GPU"]


def test_a_precision_that_is_asked_for_has_its_own_fastest_format(told, tmp_path):
    told(4.0, 3.0, 1.0, 2.0)
    plans = [choose_plan("cpu", precision=name, cache=tmp_path) for name in ("float32", "bfloat16")]
    assert [(plan.precision, plan.memory_format) for plan in plans] == [
        ("float32", "channels-last"),
        ("bfloat16", "contiguous"),
    ]


def test_without_a_folder_nothing_is_measured_and_the_plan_is_plain(monkeypatch):
    monkeypatch.delattr("nestbench.machine.calibrate.time_ways")
    assert choose_plan("cpu") == Plan("cpu", "float32", "contiguous", cores())
    assert choose_plan("cpu", precision="bfloat16") == Plan("cpu", "bfloat16", "contiguous", cores())


def test_threads_are_shared_among_workers():
    assert choose_plan("cpu", workers=1).threads == cores()
    assert choose_plan("cpu", workers=10_000).threads == 1


def test_a_device_or_precision_that_does_not_exist_is_refused_with_the_nearest():
    with pytest.raises(RequestError, match="unknown device 'cudda'; did you mean 'cuda'"):
        choose_plan("cudda")
    with pytest.raises(RequestError, match="unknown precision 'float23'; did you mean 'float32'"):
        choose_plan("cpu", precision="float23")


def test_a_device_that_is_not_here_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RequestError, match="torch finds no CUDA GPU"):
        choose_plan("cuda")
    assert choose_plan("auto").device == "cpu"
