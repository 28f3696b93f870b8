"""Which precision and memory format suit this machine: training steps of UNet++ under four plans, interleaved.

    python benchmarks/plan.py [--model unet++] [--encoder timm:resnet18] [--size 96] [--batch 16] [--rounds 15]

Prints each plan's ratio to plain float32, from the same rounds, with a bootstrap interval of the ratio of medians.
"""

import argparse
import time

import numpy as np
import torch
from numpy.typing import NDArray

from nestbench.losses import bce_dice
from nestbench.machine import Plan, cores, device_name
from nestbench.model import build
from nestbench.train import training_step

WARM_UP = 3
PLANS = {
    "float32, contiguous": Plan("cpu", "float32", "contiguous", cores()),
    "float32, channels-last": Plan("cpu", "float32", "channels-last", cores()),
    "bfloat16, contiguous": Plan("cpu", "bfloat16", "contiguous", cores()),
    "bfloat16, channels-last": Plan("cpu", "bfloat16", "channels-last", cores()),
}


class Trainee:
    """A network under a plan, and what one training step of it takes."""

    def __init__(self, plan: Plan, options: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.plan = plan
        self.model = build(options.model, options.encoder, in_channels=3)
        plan.place(self.model)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), fused=True)
        self.images = torch.randn(options.batch, 3, options.size, options.size)
        self.masks = (torch.rand(options.batch, options.size, options.size) < 0.3).long()

    def step(self) -> float:
        """Seconds of one training step."""
        start = time.perf_counter()
        training_step(self.model, self.images, self.masks, bce_dice, self.plan, self.optimiser)
        return time.perf_counter() - start


def interval(slow: NDArray[np.float64], fast: NDArray[np.float64]) -> tuple[float, float]:
    """95 % bootstrap interval of the ratio of medians, rounds drawn in pairs."""
    index = np.random.default_rng(0).integers(0, len(slow), (2000, len(slow)))
    low, high = np.percentile(np.median(slow[index], axis=1) / np.median(fast[index], axis=1), (2.5, 97.5))
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="unet++")
    parser.add_argument("--encoder", default="timm:resnet18")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(cores())
    trainees = {name: Trainee(plan, options) for name, plan in PLANS.items()}
    rounds = [[trainee.step() for trainee in trainees.values()] for _ in range(WARM_UP + options.rounds)]
    seconds = np.array(rounds[WARM_UP:])
    print(f"{options.model} on {options.encoder}, batch {options.batch}, size {options.size}, {options.rounds} rounds")
    print(f"{device_name('cpu')}, {cores()} cores, torch {torch.__version__}")
    for column, name in enumerate(PLANS):
        ratio = np.median(seconds[:, 0]) / np.median(seconds[:, column])
        low, high = interval(seconds[:, 0], seconds[:, column])
        print(f"{name:24} {ratio:5.2f}x plain float32 (95 % {low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
