"""Who is sooner at a validation IoU: UNet++ by our training step, or segmentation-models-pytorch's plain loop?

    python benchmarks/race.py [--data DIR] [--size 96] [--batch 16] [--epochs 10] [--seeds 3] [--first 0]
                              [--threads N] [--device auto]

Both train on the same nuclei, in the same order, augmented alike, with the same loss, learning rate and batch, at equal
work; each in a process of its own, an epoch in turns. Only training is timed, not the validation after each epoch. The
goal is the best validation IoU that both reach; the time to it is that of the epochs up to the first at or above it.
"""

import time
from argparse import Namespace
from functools import partial
from typing import cast

import numpy as np
import torch
from arena import Maker, arena
from asked import answer, options
from contestants import ours, pictures, plan_of, smp_plain
from torch import nn

from nestbench.datasets.batches import batches, training_batches
from nestbench.datasets.feed import Feed, feed
from nestbench.datasets.open import cache_root, data_root
from nestbench.datasets.preparing import prepare
from nestbench.datasets.splits import split_cases
from nestbench.losses import bce_dice
from nestbench.machine import Plan, device_name, wait
from nestbench.metrics import confusion, probabilities
from nestbench.model import Network, construct
from nestbench.results.scores import iou
from nestbench.speed.rounds import Pass
from nestbench.train import gradients, training_step

LEARNING_RATE = 2e-3
RACERS = {"smp, plain loop": True, "unet++": False}


def sides(asked: Namespace) -> tuple[Feed, Feed]:
    """Training and validation."""
    spec = pictures("nuclei", asked.size)
    prepared = prepare(spec, data_root(asked.data), cache_root())
    split = split_cases(prepared.cases, spec.split or prepared.shares)
    return feed(prepared, split.train, spec, asked.device), feed(prepared, split.validation, spec, asked.device)


def validated(model: nn.Module, data: Feed, plan: Plan) -> float:
    """Mean IoU over the validation cases."""
    model.eval()
    found = []
    with torch.no_grad():
        for _, images, masks, _ in batches(data, 32):
            with plan.autocast():
                logits = model(plan.arrange(images))
            logits = logits if isinstance(logits, torch.Tensor) else next(iter(logits.values()))
            tp, fp, fn, _ = (counts.cpu().numpy() for counts in confusion(probabilities(logits.float()), masks))
            found.append(iou(tp, fp, fn).mean(axis=1))
    model.train()
    return float(np.concatenate(found).mean())


def racer(asked: Namespace, plain: bool, seed: int) -> Pass:
    """A pass is one epoch; it returns the seconds of its training and the validation IoU after it."""
    torch.manual_seed(seed)
    plan = plan_of(asked, "float32" if plain else "bfloat16")
    if plain:
        torch.set_num_threads(asked.threads)
        model: nn.Module = smp_plain().to(asked.device)
        optimiser: torch.optim.Optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    else:
        plan.enter()
        model = plan.place(construct(ours(equal=True)))
        optimiser = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=0.0, fused=True)
    training, validation = sides(asked)
    epoch, down = iter(range(asked.epochs)), gradients(cast(Network, model), bce_dice, plan)
    model.train()

    def work() -> tuple[float, float]:
        index, start = next(epoch), time.perf_counter()
        for images, masks in training_batches(training, asked.batch, seed, index, augmented=True):
            if plain:
                loss = bce_dice(model(images), masks)
                optimiser.zero_grad()
                torch.autograd.backward(loss)
                optimiser.step()
            else:
                training_step(down, optimiser, images, masks)
        wait(asked.device)
        return time.perf_counter() - start, validated(model, validation, plan)

    return work


def sooner(seconds: np.ndarray, ious: np.ndarray) -> tuple[float, float]:
    """The goal, and how many times sooner the second is at it, from (epochs, 2) of both."""
    goal = float(ious.max(axis=0).min())
    needed = [seconds[: int(np.argmax(ious[:, i] >= goal)) + 1, i].sum() for i in range(2)]
    return goal, float(needed[0] / needed[1])


def main() -> None:
    parser = options(__doc__, "where nuclei lies", size=96, batch=16, epochs=10, seeds=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    asked = parser.parse_args()
    print(f"{device_name(asked.device)}, {asked.threads} threads, torch {torch.__version__}, ", end="")
    print(f"batch {asked.batch}, {asked.epochs} epochs; validation IoU by epoch, and seconds of training")
    ratios = []
    for seed in range(asked.first, asked.first + asked.seeds):
        makers: dict[str, Maker] = {name: partial(racer, asked, plain, seed) for name, plain in RACERS.items()}
        with arena(makers, asked.device) as racers:
            rows = [[cast(tuple[float, float], one.work()) for one in racers.values()] for _ in range(asked.epochs)]
        found = np.array(rows)
        for column, name in enumerate(makers):
            ious = " ".join(f"{100 * iou:.1f}" for iou in found[:, column, 1])
            print(f"seed {seed}, {name:16} {ious}   {found[:, column, 0].sum():.0f} s", flush=True)
        goal, ratio = sooner(found[..., 0], found[..., 1])
        print(f"seed {seed}: both reach {100 * goal:.1f}; unet++ does {ratio:.2f} times sooner", flush=True)
        ratios.append(ratio)
    median, least, most = np.median(ratios), min(ratios), max(ratios)
    print(f"median of {asked.seeds} seeds: {median:.2f} times sooner ({least:.2f} to {most:.2f})")


if __name__ == "__main__":
    answer(main)
