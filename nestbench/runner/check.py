"""What a study would run: its data, the size of its networks, and the hours that this machine would take."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from nestbench import plugins
from nestbench.datasets.feed import feed
from nestbench.datasets.prepared import describe
from nestbench.machine import Plan, wait
from nestbench.machine.calibrate import Measured, calibrate
from nestbench.model import Detector, Spec, construct
from nestbench.model.size import network_size
from nestbench.results.owner import refuse_changed
from nestbench.runner.data import Ready, make_job, ready_data
from nestbench.runner.queue import find_done
from nestbench.runner.settle import check_names, choices, settle_plan
from nestbench.runner.told import answer_of
from nestbench.study.schema import Cell, Study
from nestbench.train import gradients, object_gradients, training_step
from nestbench.work.job import network_spec

STEPS = 3


@dataclass(frozen=True)
class Check:
    """A study looked at, not run."""

    datasets: list[dict[str, Any]]
    networks: list[dict[str, Any]]
    """One row a cell: parameters, FLOPs of one image, seconds of training for one epoch."""
    runs: int
    seconds: float
    """About what training takes with one worker if no run stops early; evaluation and start-up are not counted."""
    plan: Plan
    """How every network is computed."""
    measured: tuple[Measured, ...]
    """What the plan is chosen by: how fast a training step is here in each precision and memory format."""


def check_study(
    study: Study, folder: Path, *, data: Path, cache: Path, device: str = "auto", precision: str = "auto"
) -> Check:
    """Look up every name, prepare the data, build each network, and time a few training steps of each.

    Raises RequestError for all in study, data and ``folder`` that would stop ``run_study`` before its first run.
    By what means it is run (workers, cluster, storage) is not looked at.
    """
    check_names(study, data)
    refuse_changed(study, folder)
    plan = settle_plan(folder, device, 1, precision, cache)
    ready = answer_of(ready_data(study, data, cache))
    find_done(study, folder, lambda run: make_job(ready, plan, folder, run))
    networks = [_network(cell, ready[cell.dataset.title], study, plan) for cell in study.cells()]
    runs = study.seeds + (study.search.trials if study.search else 0)
    seconds = sum(row["epoch_seconds"] for row in networks) * max(choices(study, "epochs")) * runs
    measured = calibrate(plan.device, plan.threads, cache)
    return Check([_described(one) for one in ready.values()], networks, len(networks) * runs, seconds, plan, measured)


def _described(ready: Ready) -> dict[str, Any]:
    """The description without its long lists of cases."""
    described = describe(ready.prepared, ready.spec, ready.split, ready.twins)
    return {key: value for key, value in described.items() if key != "split"} | {"cases": len(ready.prepared.cases)}


def _network(cell: Cell, ready: Ready, study: Study, plan: Plan) -> dict[str, Any]:
    spec = network_spec(cell, ready.prepared)
    size = asdict(network_size(spec, cell.dataset.side))
    training = feed(ready.prepared, ready.split.train, cell.dataset, "cpu", resident=0)
    steps = -(-len(training) // study.recipe.batch)
    names = dict(zip(("dataset", "encoder", "model"), cell.key, strict=True))
    return names | size | {"epoch_seconds": steps * _step_seconds(spec, study, cell.dataset.side, plan)}


def _step_seconds(spec: Spec, study: Study, size: int, plan: Plan) -> float:
    """Seconds of one training step of the study's batch on random images: the fastest of a few, after one more."""
    plan.enter()
    model = construct(spec)
    plan.place(model).train()
    loss = plugins.find_plain("loss", study.recipe.loss)
    optimiser = torch.optim.AdamW(model.parameters(), fused=True)
    space = (size,) * spec.dims
    images = torch.randn(study.recipe.batch, spec.in_channels, *space, device=plan.device)
    masks = torch.zeros(study.recipe.batch, *space, dtype=torch.long, device=plan.device)
    masks[:, : size // 2, : size // 2] = 1
    down = object_gradients(model, plan) if isinstance(model, Detector) else gradients(model, loss, plan)
    taken = []
    for _ in range(1 + STEPS):
        start = time.perf_counter()
        training_step(down, optimiser, images, masks)
        wait(plan.device)
        taken.append(time.perf_counter() - start)
    return min(taken[1:])
