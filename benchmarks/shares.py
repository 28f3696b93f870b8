"""Where the time of a training step of UNet++ goes, by torch's profiler.

    python benchmarks/shares.py [--data DIR] [--size 96] [--batch 16] [--rounds 7] [--threads N] [--device auto]

Two networks take turns, the default one and the one at smp's work, in the plan that studies choose on this machine. In
a round each takes some steps without the profiler, then some with it. What an operator takes itself, without those that
it calls, is counted to the first rule of `RULES` that its way through the operators fits: on a CPU wall-clock time, as
one thread calls them all, and on a GPU the time of its kernels. What is left of the wall clock is Python's. Shares are
medians over the rounds, with the lowest and the highest.
"""

import re
import time
from collections import defaultdict
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from asked import NUCLEI, answer, options
from contestants import DEPTH, ours, real_batch
from torch import Tensor
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function

from nestbench.datasets.open import cache_root
from nestbench.losses import bce_dice
from nestbench.machine import Plan, choose_plan, device_name, wait
from nestbench.model import Spec, construct
from nestbench.speed.rounds import Pass, Seconds
from nestbench.train import gradients, training_step

STEPS, WARM_UP = 3, 5
REST, OTHER = "Python, starting operators", "other"
RULES = {
    "optimiser": r"^Optimizer\.",
    "loss": r"^loss|(BinaryCrossEntropyWithLogits|Sigmoid|Sum|Mean|Div|Mul|Rsub|Stack|Select|Unsqueeze)Backward",
    # What the engine adds where one value was read twice, and what it hands to the parameters.
    "adding up gradients": r"evaluate_function: \w+/aten::add_?$|AccumulateGrad",
    # The gradient of a concatenation is split, and made dense part by part (`model/join.py`).
    "concatenation, splitting": r"aten::cat\b|CatBackward|_Dense",
    "copies, casts": r"aten::(to|contiguous|clone|copy_)\b|(ToCopy|Clone)Backward",
    "batch norm": r"batch_norm|BatchNormBackward",
    "ReLU": r"aten::relu|ReluBackward",
    "resizing, pooling": r"aten::(upsample|max_pool)|(Upsample\w+|MaxPool\w+)Backward",
    "convolution, backward": r"ConvolutionBackward",
    "convolution, forward": r"aten::conv",
}
"""What a group is called, and what the names on an operator's way, from the outermost, have in it: the first fits."""

Taken = dict[str, float]
"""Seconds of a step by operators' ways, and of the rest."""


class Trainee(NamedTuple):
    """A network in training."""

    name: str
    step: Pass
    device: str


def main() -> None:
    asked = options(__doc__, NUCLEI, size=96, batch=16, rounds=7).parse_args()
    plan = replace(choose_plan(asked.device, cache=cache_root()), threads=asked.threads)
    plan.enter()
    images, masks = real_batch(asked.size, asked.batch, asked.data, plan.device)
    specs = {"default width": ours(equal=False), "equal work": ours(equal=True)}
    trainees = [trainee(name, spec, plan, images, masks) for name, spec in specs.items()]
    for one in trainees:
        seconds_of(one, WARM_UP)
    rounds = [[observe(one) for one in trainees] for _ in range(asked.rounds)]
    print(f"{device_name(plan.device)}, {plan.precision}, {plan.memory_format}, {plan.threads} threads, ", end="")
    print(f"torch {torch.__version__}, {asked.rounds} rounds of {STEPS} steps, batch {asked.batch}, ", end="")
    print(f"{asked.size} x {asked.size} pixels, depth {DEPTH}, {'nuclei' if asked.data else 'synthetic images'}")
    say([one.name for one in trainees], [[taken for taken, _ in one] for one in rounds])
    slower = np.median([[slowdown for _, slowdown in one] for one in rounds], axis=0)
    print(f"with the profiler a step takes {' and '.join(f'{value:.2f}' for value in slower)} times as long")


def trainee(name: str, spec: Spec, plan: Plan, images: Tensor, masks: Tensor) -> Trainee:
    """A network of ours, made ready for the library's own step, whose loss can be told apart."""
    torch.manual_seed(0)
    model = construct(spec).train()
    plan.place(model)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-4, weight_decay=0.0, fused=True)

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        with record_function("loss"):
            return bce_dice(logits, target)

    down = gradients(model, loss, plan)
    return Trainee(name, lambda: training_step(down, optimiser, images, masks), plan.device)


def observe(one: Trainee) -> tuple[Taken, float]:
    """Seconds of a step by operators, and how many times as long as without the profiler it took."""
    plain = seconds_of(one, STEPS)
    with profile(activities=[ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (one.device == "cuda")) as found:
        observed = seconds_of(one, STEPS)
    taken: Taken = defaultdict(float)
    for event in found.events():
        if event.device_type.name == "CPU":
            own = event.self_cpu_time_total if one.device == "cpu" else event.self_device_time_total
            taken[way(event)] += own / 1e6 / STEPS
    taken[REST] = observed - sum(taken.values())
    return taken, observed / plain


def seconds_of(one: Trainee, steps: int) -> float:
    """Seconds of one of so many steps."""
    start = time.perf_counter()
    for _ in range(steps):
        one.step()
    wait(one.device)
    return (time.perf_counter() - start) / steps


def way(event: FunctionEvent) -> str:
    """The names of an operator and of those that it was called by, the outermost first, between strokes."""
    parent = event.cpu_parent
    return f"{way(parent)}/{event.name}" if parent else event.name


def group(operator: str) -> str:
    """What an operator is counted to."""
    if operator == REST:
        return REST
    return next((name for name, rule in RULES.items() if re.search(rule, operator)), OTHER)


def say(names: list[str], rounds: list[list[Taken]]) -> None:
    """Print the table, the largest share of the first network first, and what no rule knew."""
    found = {key: np.zeros((len(rounds), len(names))) for key in (*RULES, REST, OTHER)}
    unknown: Taken = defaultdict(float)
    for index, row in enumerate(rounds):
        for column, taken in enumerate(row):
            for operator, seconds in taken.items():
                found[group(operator)][index, column] += seconds / sum(taken.values())
                if group(operator) == OTHER:
                    unknown[operator.rpartition("/")[2]] += seconds
    print(f"{'share of a step':28}" + "".join(f"{name:28}" for name in names))
    for key, shares in sorted(found.items(), key=lambda item: -float(np.median(item[1][:, 0]))):
        print(f"{key:28}" + "".join(f"{in_percent(column):28}" for column in shares.T))
    print(f"other: {', '.join(sorted(unknown, key=lambda name: -unknown[name])[:4])}, and less")


def in_percent(shares: Seconds) -> str:
    """``12.3 % (11.9 to 12.8)``."""
    return f"{100 * np.median(shares):4.1f} % ({100 * shares.min():.1f} to {100 * shares.max():.1f})"


if __name__ == "__main__":
    answer(main)
