"""A training step of UNet++ beside segmentation-models-pytorch's plain loop, at equal work and by default.

    python benchmarks/training.py [--data DIR] [--size 96] [--batch 16] [--rounds 20] [--threads 0]

Every contestant has a process of its own, and they take turns. The first is smp's UNet++ in float32, stepped by torch's
Adam as smp's documentation does; the loss and the batch are the same for all. `share` is of the fastest 3x3 convolution
that this machine's torch does in bfloat16, forward, in the same rounds. A training step is counted as three forward
passes. Memory is what a process's contestant added at its peak.
"""

from argparse import Namespace
from collections.abc import Callable
from functools import partial

import torch
from arena import arena, compete, in_words, speedups
from contestants import convolution_makers, options, ours, peak_of, real_batch, smp_plain, smp_spec, work_of

from nestbench.losses import bce_dice
from nestbench.machine import Plan, cores, device_name
from nestbench.model import construct, join, network
from nestbench.speed.rounds import Pass
from nestbench.train import training_step


def smp_loop(asked: Namespace) -> Pass:
    """The plain loop."""
    torch.set_num_threads(asked.threads)
    batch, model = real_batch(asked.size, asked.batch, asked.data), smp_plain(asked.depth).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-4)

    def work() -> None:
        loss = bce_dice(model(batch.images), batch.masks)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return work


def trainee(asked: Namespace, which: str, precision: str, without: str = "") -> Pass:
    """A network of ours, or smp's by our step, under the plan; ``without`` one of the things that make it fast."""
    torch.manual_seed(0)
    layout = "channels-last" if precision == "bfloat16" else "contiguous"
    plan = Plan("cpu", precision, layout, asked.threads)
    if without == "kept memory":
        torch.set_num_threads(asked.threads)
    else:
        plan.enter()
    if without == "dense gradients":
        join._densely = lambda part: part
    if without == "parts kept":
        network.on_joined = lambda block, parts: block(torch.cat([join._densely(p) for p in parts], dim=1))
    spec = smp_spec(asked.depth) if which == "smp" else ours(asked.depth, which == "equal")
    model = plan.place(construct(spec)).train()
    optimiser = torch.optim.AdamW(model.parameters(), 3e-4, weight_decay=0.0, fused=True)
    images, masks = real_batch(asked.size, asked.batch, asked.data)
    return lambda: float(training_step(model, images, masks, bce_dice, plan, optimiser))


def main() -> None:
    parser = options(__doc__)
    asked = parser.parse_args()
    asked.threads = asked.threads or cores()
    smp, equal, default = (
        work_of(s, asked.size) for s in (smp_spec(asked.depth), ours(asked.depth, True), ours(asked.depth, False))
    )
    entries: dict[str, tuple[Callable[[], Pass], int]] = {
        "smp, float32, its plain loop": (partial(smp_loop, asked), smp),
        "smp, bfloat16, our step": (partial(trainee, asked, "smp", "bfloat16"), smp),
        "unet++, equal work, float32": (partial(trainee, asked, "equal", "float32"), equal),
        "unet++, equal work": (partial(trainee, asked, "equal", "bfloat16"), equal),
        "  without dense gradients": (partial(trainee, asked, "equal", "bfloat16", "dense gradients"), equal),
        "  keeping what is joined": (partial(trainee, asked, "equal", "bfloat16", "parts kept"), equal),
        "  without kept memory": (partial(trainee, asked, "equal", "bfloat16", "kept memory"), equal),
        "unet++, default width": (partial(trainee, asked, "default", "bfloat16"), default),
    }
    makers = {name: maker for name, (maker, _) in entries.items()}
    makers |= convolution_makers(asked.threads)
    with arena(makers) as contestants:
        taken = compete(contestants, asked.rounds)
        memory = [one.memory() for one in list(contestants.values())[: len(entries)]]
    best = peak_of(taken[:, len(entries) :])
    print(f"{device_name('cpu')}, {asked.threads} threads, torch {torch.__version__}, {asked.rounds} rounds, ", end="")
    print(f"batch {asked.batch}, {asked.size} x {asked.size} pixels, depth {asked.depth}, ", end="")
    print("nuclei" if asked.data else "synthetic images")
    print(f"{'':30} {'images/s against the first':28} {'work':>5} {'share of peak':>14} {'memory':>7}")
    faster = speedups(taken[:, : len(entries)])
    for column, (name, (_, work)) in enumerate(entries.items()):
        median = sorted(taken[:, column])[asked.rounds // 2]
        share = 3 * work * asked.batch / median / best
        print(f"{name:30} {in_words(faster[column]):28} {work / smp:4.2f}x {share:13.0%}", end=" ")
        print(f"{memory[column] / memory[0]:6.2f}x")


if __name__ == "__main__":
    main()
