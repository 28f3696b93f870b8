"""What there is to compute with, and what it is called."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from nestbench.errors import RequestError, unknown
from nestbench.machine.plan import Plan
from nestbench.study.schema import DEVICES

_PACKAGES = ("nestbench", "torch", "timm", "optuna", "numpy")


def find_device(device: str) -> str:
    """``cpu`` or ``cuda``; the GPU for ``auto`` where there is one.

    Raises RequestError for a device that does not exist here.
    """
    if device not in DEVICES:
        raise unknown("device", device, DEVICES)
    if device == "cuda" and not torch.cuda.is_available():
        raise RequestError("device 'cuda' is not here: torch finds no CUDA GPU (allowed: auto, cpu)")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def gpus() -> tuple[str, ...]:
    """The CUDA GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    count = torch.cuda.device_count()
    return tuple(named.split(","))[:count] if named else tuple(map(str, range(count)))


def device_name(device: str) -> str:
    """Name of the processor or GPU, as its maker calls it."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def memory_of(device: str) -> int:
    """Bytes of memory that the device has, whoever uses them."""
    if device == "cuda":
        return int(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def wait(device: str) -> None:
    """Return when the device has done all that it was asked for."""
    if device == "cuda":
        torch.cuda.synchronize()


def environment(plan: Plan) -> dict[str, Any]:
    """What a result was computed on: processor, system, versions."""
    return {
        "device": device_name(plan.device),
        "cores": cores(),
        "platform": platform.platform(aliased=True),
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
    }
