"""What an epoch loses to its data: epochs on a real side against the same steps on one repeated batch.

    python benchmarks/feeding.py STUDY [--data DIR] [--model unet] [--epochs 10] [--device auto]

Of each data set of a study file. In one process an epoch of training on the data and as many steps on a batch that lies
ready take turns, each epoch timed as a whole, so that what is loaded ahead is loaded in its own time; loss, network,
batch and plan are the study's. Once with the data in the device's memory, once streamed from the disk. The share is
what the data's epochs took above the others, of the former, with a 95 % interval over pairs of epochs drawn anew.
`waiting` is the part of the data's epochs in which no step is asked for because its batch is being made: it hardly
depends on how steady the machine is, but is blind to what loading ahead does to the steps, and a GPU may be at the step
before meanwhile: only an epoch as a whole is waited for. The look at every window for objects,
which the first epoch of a run takes where windows are drawn, is timed apart.
"""

import argparse
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nestbench import plugins
from nestbench.datasets.batches import training_batches
from nestbench.datasets.feed import RESIDENT, Feed, feed
from nestbench.datasets.open import cache_root, data_root
from nestbench.datasets.preparing import prepare
from nestbench.datasets.splits import split_cases
from nestbench.machine import Plan, choose_plan, device_name, wait
from nestbench.model import Spec, construct
from nestbench.speed.pace import ratios
from nestbench.speed.rounds import Seconds
from nestbench.study.files import read_study
from nestbench.study.schema import Study
from nestbench.train import gradients, training_step
from nestbench.work.job import network_spec


def turns(study: Study, spec: Spec, data: Feed, plan: Plan, epochs: int) -> tuple[Seconds, float]:
    """Seconds of so many pairs of epochs, after one that is not counted, and the share of waiting for a batch.

    The seconds are (epochs, 2): on the data, and on one batch.
    """
    torch.manual_seed(0)
    model = plan.place(construct(spec)).train()
    optimiser = torch.optim.AdamW(model.parameters(), study.recipe.learning_rate, fused=True)
    down = gradients(model, plugins.find_plain("loss", study.recipe.loss), plan)

    def seconds(batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[float, float]:
        """Of an epoch, and of waiting in it."""
        start, waited = time.perf_counter(), 0.0
        asked = start
        for images, masks in batches:
            waited += time.perf_counter() - asked
            training_step(down, optimiser, images, masks)
            asked = time.perf_counter()
        wait(plan.device)
        return time.perf_counter() - start, waited

    sizes = [len(masks) for _, masks in training_batches(data, study.recipe.batch, 0, 0, augmented=True)]
    images, masks = next(training_batches(data, study.recipe.batch, 0, 0, augmented=True))
    same = [(images[:size], masks[:size]) for size in sizes]
    taken = [
        (*seconds(training_batches(data, study.recipe.batch, 0, epoch, augmented=True)), seconds(same)[0])
        for epoch in range(1 + epochs)
    ]
    real, waited, repeated = np.array(taken[1:]).T
    return np.column_stack([real, repeated]), float(waited.sum() / real.sum())


def look(data: Feed) -> float:
    """Seconds of the look for objects; none where all windows are shown."""
    start = time.perf_counter()
    if data.samples is not None:
        data.with_objects.sum()
    return time.perf_counter() - start


def lost(taken: Seconds) -> tuple[float, float, float]:
    """Share of an epoch that is lost to the data, and its interval: by means, since an epoch is a sum."""
    same = ratios(taken, 0, np.mean)[1]
    return 1 - same.value, 1 - same.high, 1 - same.low


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model", default="")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    study = read_study(asked.study)
    plan = choose_plan(asked.device, 1, "auto", cache_root())
    plan.enter()
    print(f"{device_name(plan.device)}, {plan}, torch {torch.__version__}, {asked.epochs} pairs of epochs")
    print(f"{'data set':16} {'cases':>6} {'windows':>8}  from      lost to the data           waiting  first look")
    for spec in study.datasets:
        cell = next(cell for cell in study.cells() if cell.dataset == spec and asked.model in ("", cell.model))
        prepared = prepare(spec, data_root(asked.data), cache_root())
        side = split_cases(prepared.cases, spec.split or prepared.shares).train
        for name, resident in (("memory", RESIDENT), ("disk", 0)):
            data = feed(prepared, side, spec, plan.device, resident)
            first = look(data)
            taken, waited = turns(study, network_spec(cell, prepared), data, plan, asked.epochs)
            share, low, high = lost(taken)
            row = f"{spec.title:16} {len(side):6} {len(data):8}  {name:8}"
            print(f"{row} {share:7.1%} {f'({low:.1%} to {high:.1%})':18} {waited:7.1%}  {first:6.2f} s")


if __name__ == "__main__":
    main()
