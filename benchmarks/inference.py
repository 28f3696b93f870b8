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
from arena import Maker, arena, compete, in_words, repeated, speedups
from contestants import REPEATS, convolution_makers, options, ours, peak_of, real_batch, smp_plain, smp_spec, work_of

from nestbench.engine import Engine, make_engine
from nestbench.machine import Plan, cores, device_name
from nestbench.model import construct
from nestbench.speed.rounds import Pass

CONDITIONS = ((1, 96), (16, 96), (1, 512), (16, 512))
LONG = 16 * 512**2
"""Pixels of a batch that takes seconds: half of the rounds are enough."""
SHORT = 96**2
"""Pixels of a batch that takes milliseconds, as waking threads up does: many passes count as one."""


def many(maker: Maker) -> Pass:
    """Passes of milliseconds as one."""
    return repeated(maker(), REPEATS)


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
    print(f"{device_name('cpu')}, {asked.threads} threads, torch {torch.__version__}, {asked.rounds} rounds, ", end="")
    print(f"depth {asked.depth}, {'nuclei' if asked.data else 'synthetic images'}")
    for kind in kinds:
        print(f"bfloat16 in {kind}: largest difference of a logit {difference(asked, kind)}")
    for batch, size in CONDITIONS:
        works = {"smp, float32, eager": work_of(smp_spec(asked.depth), size)}
        makers = {"smp, float32, eager": partial(smp_eager, asked, batch, size)}
        large = batch * size**2 >= LONG
        # OpenVINO takes 12 GiB and more for such a batch, and all contestants share one machine's memory.
        for kind in kinds[: 1 if large else 2]:
            for equal, words in ((True, "equal work"), (False, "default width"))[: 1 if large else 2]:
                name = f"unet++, {words}, {kind}"
                works[name] = work_of(ours(asked.depth, equal), size)
                makers[name] = partial(ours_in, asked, batch, size, equal, kind)
        if batch * size**2 <= SHORT:
            makers = {name: partial(many, maker) for name, maker in makers.items()}
        makers |= convolution_makers(asked.threads)
        with arena(makers) as contestants:
            taken = compete(contestants, asked.rounds // (2 if large else 1))
        best = peak_of(taken[:, len(works) :])
        print(f"\nbatch {batch}, {size} x {size} pixels\n{'':32} {'images/s against the first':28} work  share of peak")
        faster, medians = speedups(taken[:, : len(works)]), np.median(taken, axis=0)
        for column, (name, work) in enumerate(works.items()):
            passes = REPEATS if batch * size**2 <= SHORT else 1
            share = passes * work * batch / medians[column] / best
            relative = work / works["smp, float32, eager"]
            print(f"{name:32} {in_words(faster[column]):28} {relative:4.2f}x {share:12.0%}", flush=True)


if __name__ == "__main__":
    main()
