"""What a GPU gains from bfloat16 with channels last, from CUDA graphs, and from compilation, at every depth.

    python benchmarks/gpu.py [--size 96] [--batch 16] [--rounds 20] [--compile] [--published]

UNet++ L1 .. L4 on `timm:resnet18`, each trained and each answering, in one process: all ways of a network take turns,
and a pass is so many steps that it lasts some tens of milliseconds. The first is torch as it comes: eager, float32,
contiguous. Loss, optimiser and random images are the same for all. `replayed` is what a study's plan does on a GPU
(`nestbench/machine/replay.py`). With `--compile`, `torch.compile` (Inductor) takes part too, replayed in the same way.

With `--published` also a U-Net as in NVIDIA's published benchmark of nnU-Net in 2D: 4 channels of 192 x 160 pixels, 4
classes, 5 levels below the first, 32 channels at the first, batch 64. Theirs has instance norm, at most 512 channels
and deep supervision; ours batch norm, up to 1024 channels and one head: more work, not less. There images a second are
printed as they are, to be set beside theirs: 926 in training and 3,867 in inference on an A100 of 80 GB.
"""

import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from arena import in_words, repeated, speedups
from asked import answer, options

from nestbench.errors import RequestError
from nestbench.losses import bce_dice
from nestbench.machine import Plan, device_name, wait
from nestbench.model import Spec, answering, construct
from nestbench.model.build import specify
from nestbench.speed.rounds import Pass, take_turns, warm_up
from nestbench.train import gradients, training_step

DEPTHS = (1, 2, 3, 4)
LASTING = 0.05
"""Seconds of a pass."""

PLANS = {
    "eager, float32, contiguous": Plan("cuda", "float32", "contiguous", 1),
    "eager, bfloat16, channels-last": Plan("cuda", "bfloat16", "channels-last", 1),
    "replayed, float32, contiguous": Plan("cuda", "float32", "contiguous", 1, replay=True),
    "replayed, bfloat16, channels-last": Plan("cuda", "bfloat16", "channels-last", 1, replay=True),
}
COMPILED = "compiled and replayed, bfloat16"


@dataclass(frozen=True)
class Case:
    """A network, what it is given, and what it is called."""

    name: str
    spec: Spec
    shape: tuple[int, ...]
    absolute: bool = False


def trainee(case: Case, plan: Plan, compiled: bool) -> Pass:
    """A training step."""
    model = plan.place(construct(case.spec)).train()
    if compiled:
        model.compile()
    optimiser = torch.optim.AdamW(model.parameters(), 3e-4, weight_decay=0.0, fused=True)
    images, masks = _batch(case)
    down = gradients(model, bce_dice, plan)
    return lambda: training_step(down, optimiser, images, masks)


def respondent(case: Case, plan: Plan, compiled: bool) -> Pass:
    """A forward pass in evaluation mode."""
    model = plan.place(construct(case.spec)).eval()
    if compiled:
        model.compile()
    images, ready = _batch(case)[0], answering(model, plan)
    return lambda: ready(images)


def cases(asked: Namespace) -> Iterator[Case]:
    """All that is timed."""
    for depth in DEPTHS:
        spec = specify("unet++", "timm:resnet18", depth, in_channels=3)
        yield Case(f"UNet++ L{depth}", spec, (asked.batch, 3, asked.size, asked.size))
    if asked.published:
        spec = specify("unet", "plain:32", 5, in_channels=4, classes=4)
        yield Case("U-Net of the published benchmark", spec, (64, 4, 192, 160), absolute=True)


def compete(case: Case, what: str, make: Callable[[Case, Plan, bool], Pass], asked: Namespace) -> None:
    """Time a network in all ways, and print how they compare."""
    PLANS["eager, float32, contiguous"].enter()
    ways = {name: (plan, False) for name, plan in PLANS.items()}
    if asked.compile and (case.absolute or case.spec.heads == (DEPTHS[-1],)):
        ways[COMPILED] = (PLANS["replayed, bfloat16, channels-last"], True)
    passes, times = [], []
    for name, (plan, compiled) in ways.items():
        torch.manual_seed(0)
        start = time.perf_counter()
        work, count = _lasting(make(case, plan, compiled))
        if compiled:
            print(f"  ({name}: ready after {time.perf_counter() - start:.0f} s)", flush=True)
        passes.append(work)
        times.append(count)
    warm_up(passes, lambda: None)
    taken = take_turns(passes, asked.rounds, lambda _: None) / np.array(times)
    rates = case.shape[0] / np.median(taken, axis=0)
    print(f"\n{case.name}, {what}, {' x '.join(map(str, case.shape))}")
    for name, rate, ratio in zip(ways, rates, speedups(taken), strict=True):
        shown = f"{rate:9,.0f} images/s" if case.absolute else ""
        print(f"  {name:36} {in_words(ratio)} {shown}", flush=True)


def _lasting(work: Pass) -> tuple[Pass, int]:
    """So many passes as one that it lasts long enough, and how many; three go before, in which it gets ready."""
    for _ in range(3):
        work()
    wait("cuda")
    start = time.perf_counter()
    work()
    wait("cuda")
    count = max(1, round(LASTING / (time.perf_counter() - start)))
    many = repeated(work, count)

    def done() -> None:
        many()
        wait("cuda")

    return done, count


def _batch(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.randn(case.shape, device="cuda")
    return images, torch.randint(0, max(2, case.spec.classes), (case.shape[0], *case.shape[2:]), device="cuda")


def main() -> None:
    parser = options(__doc__, size=96, batch=16, rounds=20)
    parser.add_argument("--compile", action="store_true", help="let torch.compile take part (minutes)")
    parser.add_argument("--published", action="store_true", help="also the U-Net of NVIDIA's benchmark")
    asked = parser.parse_args()
    if asked.device != "cuda":
        raise RequestError("this benchmark is of a GPU, and there is none here")
    print(f"{device_name('cuda')}, torch {torch.__version__}, {asked.rounds} rounds")
    for case in cases(asked):
        compete(case, "training", trainee, asked)
        compete(case, "inference", respondent, asked)
        torch.cuda.empty_cache()


if __name__ == "__main__":
    answer(main)
