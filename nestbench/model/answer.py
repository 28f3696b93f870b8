"""A network's answers under a plan."""

from collections.abc import Callable

import torch
from torch import Tensor

from nestbench.machine import Plan
from nestbench.model.build import AnyNetwork

Answer = Callable[[Tensor], dict[int, Tensor]]
"""From a batch (N, C, *space) to float32 logits (N, K, *space) of each head by its depth."""


def answering(model: AnyNetwork, plan: Plan) -> Answer:
    """Make ready, once for many batches on the plan's device, what a network answers; gradients are not noted."""

    def work(images: Tensor) -> tuple[Tensor, ...]:
        with plan.autocast():
            logits = model(plan.arrange(images))
        return tuple(logits[depth].float() for depth in model.spec.heads)

    ready = plan.often(model, work)

    @torch.no_grad()
    def answer(images: Tensor) -> dict[int, Tensor]:
        return dict(zip(model.spec.heads, ready(images), strict=True))

    return answer
