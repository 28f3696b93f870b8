"""Inference of UNet++ at full depth beside segmentation-models-pytorch's in eager float32, at equal work.

    python benchmarks/inference.py [--data DIR] [--rounds 20] [--threads 0]

Batches of 1 and 16, images of 96 and 512 pixels a side. Every contestant has a process of its own, and they take turns.
`difference` is the largest of a logit to float32's of the same network, beside the largest logit; the engine's float32
is torch's. The engines are those of `nestbench predict` and `nestbench speed`.
"""

import importlib.util
from argparse import Namespace
from functools import partial

import numpy as np
import torch
from arena import arena, compete, in_words, speedups
from contestants import options, ours, real_batch, smp_plain, smp_spec, work_of

from nestbench.engine import Engine, make_engine
from nestbench.machine import Plan, cores, device_name
from nestbench.model import construct
from nestbench.speed.peak import convolutions, peak
from nestbench.speed.rounds import Pass

CONDITIONS = ((1, 96), (16, 96), (1, 512), (16, 512))
LONG = 16 * 512**2
"""Pixels of a batch that takes seconds: half of the rounds are enough."""


def smp_eager(asked: Namespace, batch: int, size: int) -> Pass:
    """What smp's documentation shows: evaluation mode, no gradients."""
    torch.set_num_threads(asked.threads)
    model, images = smp_plain(asked.depth).eval(), real_batch(size, batch, asked.data).images

    @torch.inference_mode()
    def work() -> None:
        model(images)

    return work


def engine_of(asked: Namespace, equal: bool, precision: str, kind: str) -> Engine:
    """UNet++ in an engine; batch norm's statistics are not those of a new network, which would make it too easy."""
    torch.manual_seed(0)
    plan = Plan("cpu", precision, "channels-last" if precision == "bfloat16" else "contiguous", asked.threads)
    plan.enter()
    model = construct(ours(asked.depth, equal))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return make_engine(model, plan, kind)


def ours_in(asked: Namespace, batch: int, size: int, equal: bool, kind: str) -> Pass:
    """UNet++ in bfloat16."""
    engine, images = engine_of(asked, equal, "bfloat16", kind), real_batch(size, batch, asked.data).images

    def work() -> None:
        engine.logits(images)

    return work


def convolution(asked: Namespace, index: int) -> Pass:
    """One of the convolutions by which the machine's peak is measured."""
    plan = Plan("cpu", "bfloat16", "channels-last", asked.threads)
    plan.enter()
    return convolutions(plan)[index].work


def difference(asked: Namespace, kind: str) -> str:
    """Of the logits in bfloat16 to those in float32."""
    images = real_batch(96, 4, asked.data).images
    exact = engine_of(asked, True, "float32", "torch").logits(images)[asked.depth]
    rounded = engine_of(asked, True, "bfloat16", kind).logits(images)[asked.depth]
    return f"{float((rounded - exact).abs().max()):.3f} of {float(exact.abs().max()):.2f}"


def main() -> None:
    parser = options(__doc__)
    asked = parser.parse_args()
    asked.threads = asked.threads or cores()
    kinds = ["torch"] + ["openvino"] * (importlib.util.find_spec("openvino") is not None)
    flops = [c.flops for c in convolutions(Plan("cpu", "bfloat16", "channels-last", 1))]
    print(f"{device_name('cpu')}, {asked.threads} threads, torch {torch.__version__}, {asked.rounds} rounds, ", end="")
    print(f"depth {asked.depth}, {'nuclei' if asked.data else 'synthetic images'}")
    for kind in kinds:
        print(f"bfloat16 in {kind}: largest difference of a logit {difference(asked, kind)}")
    for batch, size in CONDITIONS:
        works = {"smp, float32, eager": work_of(smp_spec(asked.depth), size)}
        makers = {"smp, float32, eager": partial(smp_eager, asked, batch, size)}
        for kind in kinds:
            # Those of default width would be too much for the memory of a small machine.
            for equal, words in ((True, "equal work"), (False, "default width"))[: 1 if batch * size**2 >= LONG else 2]:
                name = f"unet++, {words}, {kind}"
                works[name] = work_of(ours(asked.depth, equal), size)
                makers[name] = partial(ours_in, asked, batch, size, equal, kind)
        makers |= {f"convolution {i}": partial(convolution, asked, i) for i in range(len(flops))}
        with arena(makers) as contestants:
            taken = compete(contestants, asked.rounds // (2 if batch * size**2 >= LONG else 1))
        best = peak(taken[:, len(works) :], flops)
        print(f"\nbatch {batch}, {size} x {size} pixels\n{'':32} {'images/s against the first':28} work  share of peak")
        faster, medians = speedups(taken[:, : len(works)]), np.median(taken, axis=0)
        for column, (name, work) in enumerate(works.items()):
            share = work * batch / medians[column] / best
            relative = work / works["smp, float32, eager"]
            print(f"{name:32} {in_words(faster[column]):28} {relative:4.2f}x {share:12.0%}", flush=True)


if __name__ == "__main__":
    main()
