"""A whole network in bfloat16 instead of autocast's casts; in training the optimiser steps on float32 copies."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nestbench.model import Network


def with_masters(model: Network) -> torch.optim.Optimizer:
    """Bring a placed network into bfloat16, and make the optimiser of its float32 copies."""
    masters = [parameter.detach().clone() for parameter in model.parameters()]
    in_bfloat16(model)
    own: list[Tensor] = list(model.parameters())
    for parameter, master in zip(own, masters, strict=True):
        parameter.register_post_accumulate_grad_hook(partial(_hand_over, master))  # type: ignore[no-untyped-call]
    optimiser = torch.optim.AdamW(masters, 3e-4, weight_decay=0.0, fused=True)

    @torch.no_grad()
    def copy_back(*_: Any) -> None:
        torch._foreach_copy_(own, masters)

    optimiser.register_step_post_hook(copy_back)
    return optimiser


def in_bfloat16(model: Network) -> None:
    """Bring a network into bfloat16, in place, but for batch norm, whose sums need float32."""
    model.to(torch.bfloat16)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.float()


def _hand_over(master: Tensor, own: Tensor) -> None:
    assert own.grad is not None, "the gradient was just accumulated"
    master.grad, own.grad = own.grad.to(master), None
