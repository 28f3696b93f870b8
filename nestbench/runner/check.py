"""What a study would run: its data, the size of its networks, and the hours that this machine would take."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from nestbench import plugins
from nestbench.datasets.prepared import Prepared, describe, prepare
from nestbench.datasets.splits import split_cases
from nestbench.machine import Plan, choose_plan
from nestbench.model import ModelSpec, Network
from nestbench.model.size import network_size
from nestbench.runner.job import network_spec
from nestbench.runner.settle import check_names
from nestbench.study.schema import Study
from nestbench.train import Loss, total_loss

STEPS = 3


@dataclass(frozen=True)
class Check:
    """A study looked at, not run."""

    datasets: list[dict[str, Any]]
    networks: list[dict[str, Any]]
    """One row a cell: parameters, FLOPs of one image, seconds of one training step."""
    runs: int
    seconds: float
    """If no run stops early: the most that training takes with one worker, evaluation and start-up not counted."""


def check_study(study: Study, data: Path, cache: Path, device: str = "auto") -> Check:
    """Look up every name, prepare the data, build each network, and time a few training steps of each.

    Raises RequestError for all that would stop the study before its first run.
    """
    check_names(study, data)
    plan = choose_plan(device)
    ready = {spec.title: prepare(spec, data, cache) for spec in study.datasets}
    splits = {spec.title: split_cases(ready[spec.title].cases, spec.split) for spec in study.datasets}
    networks, seconds = [], 0.0
    runs_a_cell = study.seeds + (study.search.trials if study.search else 0)
    for cell in study.cells():
        prepared = ready[cell.dataset.title]
        spec = network_spec(cell, prepared.images.shape[-1], len(prepared.classes))
        step = _step_seconds(spec, study, cell.dataset.size, plan)
        networks.append(
            dict(zip(("dataset", "encoder", "model"), cell.key, strict=True))
            | asdict(network_size(spec, cell.dataset.size))
            | {"step_seconds": step}
        )
        images = len(splits[cell.dataset.title].train)
        seconds += step * images / study.recipe.batch * study.recipe.epochs * runs_a_cell
    return Check(
        [_described(ready[s.title], describe(ready[s.title], s, splits[s.title])) for s in study.datasets],
        networks,
        len(networks) * runs_a_cell,
        seconds,
    )


def _described(prepared: Prepared, described: dict[str, Any]) -> dict[str, Any]:
    """The description without its long lists of cases."""
    return {key: value for key, value in described.items() if key != "split"} | {"cases": len(prepared.cases)}


def _step_seconds(spec: ModelSpec, study: Study, size: int, plan: Plan) -> float:
    """Seconds of one training step of the study's batch on random images: the fastest of a few, after one more."""
    plan.enter()
    loss, _ = plugins.find("loss", study.recipe.loss)
    model = Network(spec)
    plan.place(model)
    images = torch.randn(study.recipe.batch, spec.in_channels, size, size, device=plan.device)
    masks = torch.zeros(study.recipe.batch, size, size, dtype=torch.long, device=plan.device)
    return min([_step(model, images, masks, loss, plan) for _ in range(1 + STEPS)][1:])


def _step(model: Network, images: torch.Tensor, masks: torch.Tensor, loss: Loss, plan: Plan) -> float:
    start = time.perf_counter()
    value = total_loss(model, images, masks, loss, plan)
    torch.autograd.backward(value)
    float(value.detach())
    return time.perf_counter() - start
