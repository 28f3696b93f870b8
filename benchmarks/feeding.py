"""What an epoch loses to its data: training on a real side against the same steps on one repeated batch.

    python benchmarks/feeding.py STUDY [--data DIR] [--model unet] [--steps 60] [--device auto]

Of each data set of a study file. In one process a step on the next batch of the data and a step on a batch that lies
ready take turns, each timed on its own; loss, network, batch and plan are the study's. Once with the data in the
device's memory, once streamed from the disk. The share is what the data's steps took above the repeated batch's, of the
former, with a 95 % interval over halves of turns drawn anew.
"""

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nestbench import plugins
from nestbench.datasets.feed import RESIDENT, Feed, feed, training_batches
from nestbench.datasets.open import cache_root, data_root
from nestbench.datasets.prepared import prepare
from nestbench.datasets.splits import split_cases
from nestbench.machine import Plan, choose_plan, device_name, wait
from nestbench.model import Spec, construct
from nestbench.runner.job import network_spec
from nestbench.speed.pace import ratios
from nestbench.speed.rounds import Seconds
from nestbench.study.files import read_study
from nestbench.study.schema import Study
from nestbench.train import training_step

WARM_UP = 5


def turns(study: Study, spec: Spec, data: Feed, plan: Plan, steps: int) -> Seconds:
    """Seconds of so many pairs of steps: (steps, 2), on the data and on the repeated batch."""
    torch.manual_seed(0)
    model = plan.place(construct(spec)).train()
    optimiser = torch.optim.AdamW(model.parameters(), study.recipe.learning_rate, fused=True)
    loss = plugins.find_plain("loss", study.recipe.loss)
    fed = _endless(data, study.recipe.batch)
    same = next(fed)
    taken = []
    for _ in range(WARM_UP + steps):
        seconds = []
        for batch in (None, same):
            start = time.perf_counter()
            images, masks = next(fed) if batch is None else batch
            training_step(model, images, masks, loss, plan, optimiser)
            wait(plan.device)
            # The last batch of an epoch may be smaller by one.
            seconds.append((time.perf_counter() - start) / len(images))
        taken.append(seconds)
    return np.array(taken[WARM_UP:])


def lost(taken: Seconds) -> tuple[float, float, float]:
    """Share of an epoch that is lost to the data, and its interval: by means, since an epoch is a sum."""
    same = ratios(taken, 0, np.mean)[1]
    return 1 - same.value, 1 - same.high, 1 - same.low


def _endless(data: Feed, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    for epoch in itertools.count():
        yield from training_batches(data, batch, 0, epoch, augmented=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    study = read_study(asked.study)
    plan = choose_plan(asked.device, 1, "auto", cache_root())
    plan.enter()
    print(f"{device_name(plan.device)}, {plan}, torch {torch.__version__}, {asked.steps} pairs of steps")
    print(f"{'data set':16} {'cases':>6} {'windows':>8}  from      lost to the data")
    for spec in study.datasets:
        cell = next(cell for cell in study.cells() if cell.dataset == spec and asked.model in ("", cell.model))
        prepared = prepare(spec, data_root(asked.data), cache_root())
        side = split_cases(prepared.cases, spec.split or prepared.shares).train
        for name, resident in (("memory", RESIDENT), ("disk", 0)):
            data = feed(prepared, side, spec, plan.device, resident)
            share, low, high = lost(turns(study, network_spec(cell, prepared), data, plan, asked.steps))
            row = f"{spec.title:16} {len(side):6} {len(data):8}  {name:8}"
            print(f"{row} {share:7.1%} ({low:.1%} to {high:.1%})")


if __name__ == "__main__":
    main()
