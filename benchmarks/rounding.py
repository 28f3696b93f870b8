"""Whether an engine in bfloat16 answers within bfloat16 rounding of float32: the criterion.

Three answers of one network to the same images are compared: in float32; in bfloat16 by the engine; and in float32
with rounding alone, that is with images, weights and what every layer answers rounded to bfloat16, but every sum in
float32. The last is the best that can be asked of layers which hand bfloat16 to one another. Roundings are as good as
random, so two ways that round as often differ from float32 by as much, and the largest of some ten thousand such
differences is much the same for both: the engine's must be at most `TIMES` that of rounding alone. A convolution that
also kept its sums in bfloat16, term by term, came to 3.8 times when it was tried, so the criterion can fail.
"""

import copy
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from nestbench.engine import Engine, make_engine
from nestbench.errors import RunError
from nestbench.machine import Plan
from nestbench.model import AnyNetwork, Network

TIMES = 2.0

Trained = TypeVar("Trained", Network, AnyNetwork)


@dataclass(frozen=True)
class Rounding:
    """Differences to float32's logits of the deepest head, the largest of all pixels."""

    largest: float
    alone: float
    """By rounding alone."""
    logit: float
    """The largest logit in float32."""
    flipped: float
    """Share of the pixels whose class is another; of untrained networks, whose logits are close to the threshold."""

    @property
    def held(self) -> bool:
        """Whether the criterion is."""
        return self.largest <= TIMES * self.alone

    def __str__(self) -> str:
        verdict = f"{'held' if self.held else 'NOT held'} ({self.largest / self.alone:.2f} of at most {TIMES:g} times)"
        found = f"largest difference {self.largest:.3f} of {self.logit:.2f}, by rounding alone {self.alone:.3f}"
        return f"{found}: {verdict}; {self.flipped:.2%} of pixels change class"


def used(model: Trained) -> Trained:
    """Give batch norm statistics as if the network had been trained, in place."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None, "it keeps statistics"
            assert module.running_var is not None, "it keeps statistics"
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model.eval()


def rounding(model: AnyNetwork, engine: Engine, images: Tensor, plan: Plan) -> Rounding:
    """Hold an engine of a network against the network itself in float32, on the device of a plan."""
    exact, alone = (_answers(own, images, plan) for own in (copy.deepcopy(model), rounded(model)))
    own = engine.logits(images)[max(engine.spec.heads)].to(exact)
    return Rounding(
        float((own - exact).abs().max()),
        float((alone - exact).abs().max()),
        float(exact.abs().max()),
        float(((own > 0) != (exact > 0)).double().mean()),
    )


def checked(model: AnyNetwork, engine: Engine, images: Tensor, plan: Plan) -> Engine:
    """The engine, where the criterion holds.

    Raises RunError where it does not.
    """
    found = rounding(model, engine, images, plan)
    if not found.held:
        raise RunError(f"the engine is not within bfloat16 rounding of float32: {found}")
    return engine


def rounded(model: AnyNetwork) -> AnyNetwork:
    """A copy that computes in float32 on images, weights and layers' answers that are rounded to bfloat16."""
    model = copy.deepcopy(model).float()
    model.register_forward_pre_hook(lambda _, images: tuple(_round(image) for image in images))
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.weight.data = _round(module.weight.data)
        if not any(module.children()):
            module.register_forward_hook(lambda _module, _inputs, value: _round(value))
    return model


def _answers(model: AnyNetwork, images: Tensor, plan: Plan) -> Tensor:
    exact = Plan(plan.device, "float32", "contiguous", plan.threads)
    return make_engine(model, exact).logits(images)[max(model.spec.heads)]


def _round(value: Tensor) -> Tensor:
    return value.bfloat16().float()
