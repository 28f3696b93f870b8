"""The machine: the plan that a study runs by, chosen by what the hardware does well, and what it ran on."""

import os
import platform
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from nestbench.errors import RequestError, unknown
from nestbench.study.schema import DEVICES

Precision = Literal["float32", "bfloat16"]

_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
_PACKAGES = ("nestbench", "torch", "timm", "optuna", "numpy")


@dataclass(frozen=True)
class Plan:
    """How every network of a study is computed, the same for all, so that none is favoured."""

    device: str
    precision: Precision
    memory_format: Literal["channels-last", "contiguous"]
    threads: int
    """CPU threads of one run."""

    def autocast(self) -> AbstractContextManager[None]:
        """Context in which convolutions run in the plan's precision; weights stay float32."""
        enabled = self.precision == "bfloat16"
        context: AbstractContextManager[None] = torch.autocast(self.device, torch.bfloat16, enabled=enabled)
        return context

    def place(self, model: torch.nn.Module) -> torch.nn.Module:
        """Move a network to the plan's device and memory format, in place."""
        model.to(self.device)
        for parameter in model.parameters():
            parameter.data = self.arrange(parameter.data)
        return model

    def arrange(self, tensor: Tensor) -> Tensor:
        """A batch of images (N, C, H, W) or volumes (N, C, D, H, W), or weights, in the plan's memory format."""
        known = _CHANNELS_LAST if self.memory_format == "channels-last" else {}
        return tensor.contiguous(memory_format=known.get(tensor.dim(), torch.contiguous_format))

    def enter(self) -> None:
        """Make this process follow the plan: threads, and arithmetic that repeats itself exactly."""
        torch.set_num_threads(self.threads)
        if self.device == "cuda":
            torch.backends.cudnn.benchmark = False
            torch.backends.cudnn.deterministic = True


def choose_plan(device: str = "auto", workers: int = 1) -> Plan:
    """Choose by what the hardware does well: bfloat16 where it has instructions for it, channels-last with it.

    Raises RequestError for a device that does not exist here.
    """
    if device not in DEVICES:
        raise unknown("device", device, DEVICES)
    if device == "cuda" and not torch.cuda.is_available():
        raise RequestError("device 'cuda' is not here: torch finds no CUDA GPU (allowed: auto, cpu)")
    chosen = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    threads = max(1, cores() // workers)
    if _fast_bfloat16(chosen):
        return Plan(chosen, "bfloat16", "channels-last", threads)
    return Plan(chosen, "float32", "channels-last" if chosen == "cuda" else "contiguous", threads)


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def device_name(device: str) -> str:
    """Name of the processor or GPU, as its maker calls it."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def environment(plan: Plan) -> dict[str, Any]:
    """What a result was computed on: processor, system, versions."""
    return {
        "device": device_name(plan.device),
        "cores": cores(),
        "platform": platform.platform(aliased=True),
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
    }


def _fast_bfloat16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
