"""A training step of UNet++ beside segmentation-models-pytorch's plain loop, at equal work and by default.

    python benchmarks/training.py [--data DIR] [--size 96] [--batch 16] [--rounds 20] [--threads N] [--device auto]

Every contestant has a process of its own, and they take turns. The first is smp's UNet++ in float32, stepped by torch's
Adam as smp's documentation does; the loss and the batch are the same for all. `share` is of the fastest 3x3 convolution
that this machine's torch does in bfloat16, forward, in the same rounds. A training step is counted as three forward
passes. Memory is what a process's contestant added at its peak: resident memory on a CPU, what torch's allocator gave
out on a GPU.
"""

from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from arena import Maker, arena, compete, in_words, speedups
from asked import NUCLEI, answer, options
from contestants import convolution_makers, ours, peak_of, plan_of, real_batch, setting, smp_plain, smp_spec, work_of
from torch import Tensor

from nestbench.losses import bce_dice
from nestbench.machine import Precision
from nestbench.model import Spec, construct, join, network
from nestbench.speed.rounds import Pass, Seconds
from nestbench.train import gradients, training_step

SPECS: dict[str, Callable[[], Spec]] = {
    "smp": smp_spec,
    "equal": partial(ours, equal=True),
    "default": partial(ours, equal=False),
}


def smp_loop(asked: Namespace) -> Pass:
    """The plain loop."""
    torch.set_num_threads(asked.threads)
    batch, model = real_batch(asked.size, asked.batch, asked.data, asked.device), smp_plain().to(asked.device).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-4)

    def work() -> None:
        loss = bce_dice(model(batch.images), batch.masks)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()

    return work


def trainee(asked: Namespace, which: str, precision: Precision, without: str = "") -> Pass:
    """A network of ours, or smp's by our step; ``without`` one of the things that make it fast."""
    torch.manual_seed(0)
    plan = plan_of(asked, precision)
    if without == "kept memory":
        torch.set_num_threads(asked.threads)
    else:
        plan.enter()
    if without == "dense gradients":
        join._densely = lambda part: part
    if without == "parts kept":
        network.on_joined = _keeping  # type: ignore[attr-defined]
    model = construct(SPECS[which]()).train()
    plan.place(model)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-4, weight_decay=0.0, fused=True)
    images, masks = real_batch(asked.size, asked.batch, asked.data, asked.device)
    down = gradients(model, bce_dice, plan)
    return lambda: float(training_step(down, optimiser, images, masks))


def _keeping(block: Callable[[Tensor], Tensor], parts: Sequence[Tensor]) -> Tensor:
    return block(torch.cat([join._densely(part) for part in parts], dim=1))


def entries(asked: Namespace) -> dict[str, tuple[str, Maker]]:
    """Which network each trains, and how."""
    found: dict[str, tuple[str, Maker]] = {
        "smp, float32, its plain loop": ("smp", partial(smp_loop, asked)),
        "smp, bfloat16, our step": ("smp", partial(trainee, asked, "smp", "bfloat16")),
        "unet++, equal work, float32": ("equal", partial(trainee, asked, "equal", "float32")),
        "unet++, equal work": ("equal", partial(trainee, asked, "equal", "bfloat16")),
    }
    for without, words in (("dense gradients", "without dense gradients"), ("parts kept", "keeping what is joined")):
        found[f"  {words}"] = ("equal", partial(trainee, asked, "equal", "bfloat16", without))
    if asked.device == "cpu":  # a GPU's memory is kept by torch in any case
        found["  without kept memory"] = ("equal", partial(trainee, asked, "equal", "bfloat16", "kept memory"))
    return found | {"unet++, default width": ("default", partial(trainee, asked, "default", "bfloat16"))}


def show(asked: Namespace, names: dict[str, str], taken: Seconds, memory: list[int]) -> None:
    """Print the table of contestants, by the networks that they train."""
    best = peak_of(taken[:, len(names) :], plan_of(asked, "bfloat16"))
    medians, faster = np.median(taken, axis=0), speedups(taken[:, : len(names)])
    works = [work_of(SPECS[which](), asked.size) for which in names.values()]
    print(f"{setting(asked)}, batch {asked.batch}, {asked.size} x {asked.size} pixels")
    print(f"{'':30} {'images/s against the first':28} {'work':>5} {'share of peak':>14} {'memory':>7}")
    for column, name in enumerate(names):
        share = 3 * works[column] * asked.batch / medians[column] / best
        print(f"{name:30} {in_words(faster[column]):28} {works[column] / works[0]:4.2f}x {share:13.0%}", end=" ")
        print(f"{memory[column] / memory[0]:6.2f}x")


def main() -> None:
    asked = options(__doc__, NUCLEI, size=96, batch=16, rounds=20).parse_args()
    found = entries(asked)
    makers = {name: maker for name, (_, maker) in found.items()}
    with arena(makers | convolution_makers(plan_of(asked, "bfloat16")), asked.device) as contestants:
        taken = compete(contestants, asked.rounds)
        memory = [contestants[name].memory() for name in found]
    show(asked, {name: which for name, (which, _) in found.items()}, taken, memory)


if __name__ == "__main__":
    answer(main)
