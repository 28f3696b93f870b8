"""Energy by the meter of NVIDIA's driver; it counts the whole GPU, its rest included."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import torch

from nestbench.errors import reason
from nestbench.speed.rounds import Pass

SECONDS = 2.0
"""The meter moves in steps of up to a tenth of a second: passes are repeated until those no longer matter."""


@dataclass(frozen=True)
class Meter:
    """Joules so far, or why they cannot be had."""

    read: Callable[[], float] | None
    missing: str = ""


def find_meter(device: str) -> Meter:
    """The meter of the GPU that torch uses."""
    if device != "cuda":
        return Meter(None, "energy: measured on CUDA devices alone")
    try:
        read = _joules_of(f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}")
        read()
    except ImportError:
        return Meter(None, "energy: not measured (pip install 'nestbench[nvidia]')")
    except Exception as error:  # NVML's own, which only its package names
        return Meter(None, f"energy: this GPU's meter does not answer ({reason(error)})")
    return Meter(read)


def joules_an_image(meter: Meter, one: Pass, seconds: float, images: int) -> float | None:
    """Repeat a pass, of so many seconds and images, for about SECONDS; None without a meter."""
    if meter.read is None:
        return None
    passes = max(1, round(SECONDS / seconds))
    before = meter.read()
    for _ in range(passes):
        one()
    return (meter.read() - before) / (passes * images)


def _joules_of(uuid: str) -> Callable[[], float]:
    nvml = import_module("pynvml")  # of the package nvidia-ml-py
    nvml.nvmlInit()
    handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
    return lambda: float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000
