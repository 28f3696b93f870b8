"""Other ways of a training step, which the library does not go, beside its own, in one run.

    python benchmarks/alternatives.py [--data DIR] [--size 96] [--batch 16] [--rounds 20] [--threads N] [--device auto]
                                      [--compile]

Every contestant has a process of its own, and they take turns. The first is UNet++ of default width by the library's
step. `split weights`, `upsampling folded` and `checkpointed` are those of `ways.py`; each is checked to answer as the
network did, with the same gradient. `weights in bfloat16` is a whole network in bfloat16, but for batch norm, whose
optimiser steps on float32 copies, instead of autocast's casts in every step; it is checked to answer within bfloat16
rounding (`rounding.py`). `widths (18, 36, 72, 144)` are no multiples of 16, which the default's (16, 32, 64, 128) are.
`compiled` is by torch's Inductor, without its caches; it takes minutes to become ready, which it says, and takes part
only with `--compile`. `work` is that of the network, in whatever way it is done.

One buffer for each level, of which every node fills a slice of channels, cannot be trained: what a convolution keeps
for its way back is a view of the buffer, and torch refuses to go back where the buffer was written to since, as it is
by the next node. It takes part in `alternatives_inference.py`; `split weights` is what joins without copying here.
"""

import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from arena import arena, compete, in_words, speedups
from asked import NUCLEI, answer, options
from contestants import built, ours, plan_of, real_batch, setting, work_of
from masters import with_masters
from ready import weights_in_bfloat16
from rounding import checked, used
from torch import nn
from ways import change, check_size, checkpoint_nodes, fold_upsampling, split_weights

from nestbench.losses import bce_dice
from nestbench.machine import Plan, wait
from nestbench.model import ModelSpec, Network
from nestbench.speed.pace import Ratio
from nestbench.speed.rounds import Pass
from nestbench.train import gradients, training_step

UNEVEN = (18, 36, 72, 144)
OWN, MASTERS, WIDTHS, COMPILED = "the library's step", "weights in bfloat16", f"widths {UNEVEN}", "compiled"
WAYS: dict[str, Callable[[Network], None]] = {
    "split weights": split_weights,
    "upsampling folded": fold_upsampling,
    "checkpointed": checkpoint_nodes,
}


def trainee(asked: Namespace, name: str) -> Pass:
    """UNet++ by the library's step, and what is tried on it."""
    plan = plan_of(asked, "bfloat16")
    plan.enter()
    model = built(spec_of(name)).train()
    if name in WAYS:
        WAYS[name](model)
    images, masks = real_batch(asked.size, asked.batch, asked.data, asked.device)
    plan.place(model)
    if name == MASTERS:
        optimiser, images = with_masters(model), images.bfloat16()
        plan = replace(plan, precision="float32")
    else:
        optimiser = torch.optim.AdamW(model.parameters(), 3e-4, weight_decay=0.0, fused=True)

    down = gradients(model, bce_dice, plan)

    def work() -> float:
        return float(training_step(down, optimiser, images, masks))

    if name == COMPILED:
        compiled(model, work, plan)
    return work


def check(asked: Namespace) -> None:
    """Raise RunError where one of the ways answers otherwise; here, as what this takes is no contestant's memory."""
    for way in WAYS.values():
        change(built(spec_of(OWN)).train(), way)
    plan, images = plan_of(asked, "bfloat16"), real_batch(96, 4, asked.data, asked.device).images
    model, other = (used(built(spec_of(OWN))) for _ in range(2))
    checked(model, weights_in_bfloat16(other, plan), images, plan)


def compiled(model: nn.Module, work: Pass, plan: Plan) -> None:
    """Compile a network and take its first step, which waits for it, and say for how long."""
    torch.compiler.config.force_disable_caches = True
    model.compile()
    start = time.perf_counter()
    work()
    wait(plan.device)
    print(f"compiled in {time.perf_counter() - start:.0f} s", flush=True)


def spec_of(name: str) -> ModelSpec:
    """UNet++ of default width, or of uneven ones."""
    spec = ours(equal=False)
    return replace(spec, width=UNEVEN) if name == WIDTHS else spec


def main() -> None:
    parser = options(__doc__, NUCLEI, size=96, batch=16, rounds=20)
    parser.add_argument("--compile", action="store_true", help="let the compiled step take part")
    asked = parser.parse_args()
    check_size(asked.size)
    check(asked)
    names = [OWN, *WAYS, MASTERS, WIDTHS] + [COMPILED] * asked.compile
    with arena({name: partial(trainee, asked, name) for name in names}, asked.device) as contestants:
        taken = compete(contestants, asked.rounds)
        memory = [one.memory() for one in contestants.values()]
    print(f"{setting(asked)}, batch {asked.batch}, {asked.size} x {asked.size} pixels")
    print(f"{'':24} {'images/s against the first':28} {'work':>5} {'memory':>7}  FLOPs/s against the first")
    work = [work_of(spec_of(name), asked.size) for name in names]
    for name, ratio, flops, peak in zip(names, speedups(taken), work, memory, strict=True):
        more = flops / work[0]
        rate = Ratio(ratio.value * more, ratio.low * more, ratio.high * more)
        print(f"{name:24} {in_words(ratio):28} {more:4.2f}x {peak / memory[0]:6.2f}x  {in_words(rate)}")


if __name__ == "__main__":
    answer(main)
