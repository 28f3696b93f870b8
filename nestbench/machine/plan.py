"""How networks are computed: device, precision, memory format and threads."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from nestbench.machine.allocator import keep_freed_memory
from nestbench.machine.replay import Replayed, Work

Precision = Literal["float32", "bfloat16"]
MemoryFormat = Literal["contiguous", "channels-last"]

CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
"""By the axes of a batch, (N, C, H, W) or (N, C, D, H, W)."""


@dataclass(frozen=True)
class Plan:
    """How every network of a study is computed, the same for all, so that none is favoured."""

    device: str
    precision: Precision
    memory_format: MemoryFormat
    threads: int
    """CPU threads of one run."""
    replay: bool = False
    """Whether the work of a GPU is recorded and replayed (``machine.replay``)."""

    @property
    def words(self) -> str:
        """How it computes, for people."""
        return f"{self.precision}, {self.memory_format}{', replayed' * self.replay}"

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
        known = CHANNELS_LAST if self.memory_format == "channels-last" else {}
        return tensor.contiguous(memory_format=known.get(tensor.dim(), torch.contiguous_format))

    def often(self, network: torch.nn.Module, work: Work) -> Work:
        """``work`` of a network, made ready to be done many times: it gives the same."""
        return Replayed(network, work) if self.replay else work

    def enter(self) -> None:
        """Make this process follow the plan: threads, memory kept, and arithmetic that repeats itself exactly."""
        torch.set_num_threads(self.threads)
        if self.device == "cpu":
            keep_freed_memory()
        if self.device == "cuda":
            torch.backends.cudnn.benchmark = False
            torch.backends.cudnn.deterministic = True
