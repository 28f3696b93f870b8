"""A run between two steps: all that decides how it goes on."""

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from nestbench.model import AnyNetwork
from nestbench.results.records import Epoch
from nestbench.study.schema import Recipe
from nestbench.train.schedule import LearningRate

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Snapshot:
    """A course as plain data: tensors by name, and what JSON can hold."""

    tensors: Tensors
    facts: dict[str, Any]


class Course:
    """A network in training, how far it is, and the weights of its best epoch."""

    def __init__(self, model: AnyNetwork, recipe: Recipe, steps: int, device: str) -> None:
        self.model, self.device = model, device
        self.optimiser = torch.optim.AdamW(
            model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        self.rate = LearningRate(self.optimiser, recipe, steps)
        self.epochs: list[Epoch] = []
        """Those that have ended."""
        self.best: Tensors = model.state_dict()
        """Weights of the best epoch so far; before the first has ended, the network's own."""
        self.steps = 0
        """Taken in the epoch that is going on."""
        self.loss = torch.zeros((), device=device)
        """Sum over the images and heads that this epoch has shown."""
        self.seconds = 0.0
        """That this epoch has taken up to when it was last interrupted."""
        self.feeding: float | None = 0.0
        """Of this epoch's seconds those in which it waited for its batches; None where some of them are not known."""
        self._random: Tensors = {}

    def end_epoch(self, epoch: Epoch) -> None:
        """Note an epoch that has ended, and keep the weights where it is the best."""
        self.epochs.append(epoch)
        if epoch.best:
            self.best = copy.deepcopy(self.model.state_dict())
        self.steps, self.loss, self.seconds, self.feeding = 0, torch.zeros_like(self.loss), 0.0, 0.0

    def settle_random(self, seed: int) -> None:
        """Set the random numbers of the step that comes: those of an epoch's start, or where it was interrupted."""
        torch.manual_seed((seed << 32) + len(self.epochs))
        if self.steps and self._random:
            torch.set_rng_state(self._random["cpu"])
            if "cuda" in self._random:
                torch.cuda.set_rng_state(self._random["cuda"], self.device)

    def snapshot(self, seconds: float) -> Snapshot:
        """All of it, copied to the CPU; ``seconds`` is what the epoch that is going on has taken so far."""
        adam = self.optimiser.state_dict()
        moments = {f"{i}/{key}": value for i, state in adam["state"].items() for key, value in state.items()}
        random = {"cpu": torch.get_rng_state()}
        if self.device != "cpu":
            random["cuda"] = torch.cuda.get_rng_state(self.device)
        parts = {"model": self.model.state_dict(), "best": self.best, "adam": moments, "random": random}
        tensors = {f"{part}/{name}": _copied(t) for part, named in parts.items() for name, t in named.items()}
        facts = {
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "steps": self.steps,
            "seconds": seconds,
            "feeding": self.feeding,
            "groups": adam["param_groups"],
            "rate": self.rate.state(),
        }
        return Snapshot(tensors | {"loss": _copied(self.loss)}, facts)

    def restore(self, saved: Snapshot) -> None:
        """Go on from a snapshot of a course of the same network and recipe.

        Raises KeyError, TypeError, ValueError or RuntimeError where it is one of another.
        """
        own = self.model.state_dict()
        model, best = (_laid_out(_part(saved.tensors, part), own) for part in ("model", "best"))
        if model.keys() != own.keys():
            raise KeyError("weights")
        parameters = dict(enumerate(self.model.parameters()))
        moments: dict[int, Tensors] = {}
        for name, value in _part(saved.tensors, "adam").items():
            index, _, key = name.partition("/")
            like = parameters[int(index)]
            moments.setdefault(int(index), {})[key] = value if value.dim() == 0 else _like(value, like)
        epochs = [Epoch(**epoch) for epoch in saved.facts["epochs"]]
        steps, rate = int(saved.facts["steps"]), saved.facts["rate"]
        seconds, feeding = float(saved.facts["seconds"]), saved.facts.get("feeding", None if steps else 0.0)
        loss, random = saved.tensors["loss"].to(self.device), _part(saved.tensors, "random")
        # All that can be wrong is known now, or in the first of these lines: nothing is taken over by halves.
        self.optimiser.load_state_dict({"state": moments, "param_groups": saved.facts["groups"]})
        self.model.load_state_dict(model)
        self.rate.restore(rate)
        self.best, self.epochs, self.steps, self.seconds, self.feeding = best, epochs, steps, seconds, feeding
        self.loss, self._random = loss, random


def _part(tensors: Tensors, part: str) -> Tensors:
    return {name.removeprefix(f"{part}/"): t for name, t in tensors.items() if name.startswith(f"{part}/")}


def _copied(value: Tensor) -> Tensor:
    return value.detach().to("cpu", copy=True).contiguous()


def _laid_out(values: Tensors, like: Tensors) -> Tensors:
    return {name: _like(value, like[name]) for name, value in values.items()}


def _like(value: Tensor, other: Tensor) -> Tensor:
    """A tensor with the device and the memory layout of another: in another layout sums are rounded otherwise."""
    if value.shape != other.shape or value.dtype != other.dtype:
        raise ValueError("a tensor of another shape or type")
    return torch.empty_like(other, requires_grad=False).copy_(value)
