"""Inference of UNet++ at full depth beside segmentation-models-pytorch's in eager float32, at equal work.

    python benchmarks/inference.py [--data DIR] [--batch 1 16] [--size 96 512] [--rounds 20] [--threads N]
                                   [--device auto]

Each batch with each size. Every contestant has a process of its own, and they take turns. `smp, bfloat16` is smp's own
network in our engine: what bfloat16 with channels last alone does. The engines are those of `nestbench predict` and
`nestbench speed`. Of each it is said whether its logits are within bfloat16 rounding of float32, by the criterion of
`rounding.py`, on 4 images of 96 pixels; batch norm's statistics are not those of a new network, which would make it
too easy.
"""

import importlib.util
from argparse import Namespace
from functools import partial

import numpy as np
import torch
from arena import Maker, arena, compete, in_words, speedups
from asked import NUCLEI, answer, count, options
from contestants import (
    REPEATS,
    SHORT,
    built,
    convolution_makers,
    many,
    ours,
    peak_of,
    plan_of,
    real_batch,
    setting,
    smp_plain,
    smp_spec,
    work_of,
)
from rounding import rounding, used

from nestbench.engine import make_engine
from nestbench.model import Spec, construct
from nestbench.speed.rounds import Pass, Seconds

LONG = 16 * 512**2
"""Pixels of a batch that takes seconds: half of the rounds are enough."""

Entries = dict[str, tuple[Spec, Maker]]


def smp_eager(asked: Namespace, batch: int, size: int) -> Pass:
    """What smp's documentation shows: evaluation mode, no gradients."""
    torch.set_num_threads(asked.threads)
    model, images = smp_plain().to(asked.device).eval(), real_batch(size, batch, asked.data, asked.device).images

    @torch.inference_mode()
    def work() -> None:
        model(images)

    return work


def in_engine(asked: Namespace, batch: int, size: int, spec: Spec, kind: str) -> Pass:
    """A network in bfloat16."""
    plan = plan_of(asked, "bfloat16")
    plan.enter()
    engine, images = (
        make_engine(used(construct(spec)), plan, kind),
        real_batch(size, batch, asked.data, asked.device).images,
    )
    return lambda: engine.logits(images)


def entries(asked: Namespace, batch: int, size: int) -> Entries:
    """What each computes, and how."""
    plain, equal, default = smp_spec(), ours(equal=True), ours(equal=False)
    found: Entries = {"smp, float32, eager": (plain, partial(smp_eager, asked, batch, size))}
    large = batch * size**2 >= LONG
    # OpenVINO takes 12 GiB and more for such a batch, and all contestants share one machine's memory.
    for kind in engines(asked)[: 1 if large else 2]:
        named = {f"smp, bfloat16, {kind}": plain, f"unet++, equal work, {kind}": equal}
        named |= {} if large else {f"unet++, default width, {kind}": default}
        for name, spec in named.items():
            found[name] = (spec, partial(in_engine, asked, batch, size, spec, kind))
    if batch * size**2 <= SHORT:
        found = {name: (spec, partial(many, maker)) for name, (spec, maker) in found.items()}
    return found


def engines(asked: Namespace) -> list[str]:
    """Those that are installed, and compute on the device."""
    known = asked.device == "cpu" and importlib.util.find_spec("openvino") is not None
    return ["torch", "openvino"] if known else ["torch"]


def show(asked: Namespace, batch: int, size: int, found: Entries, taken: Seconds) -> None:
    """Print the table of one batch and size."""
    best = peak_of(taken[:, len(found) :], plan_of(asked, "bfloat16"))
    print(f"\nbatch {batch}, {size} x {size} pixels, {len(taken)} rounds")
    print(f"{'':32} {'images/s against the first':28} work  share of peak")
    works = [work_of(spec, size) for spec, _ in found.values()]
    passes = REPEATS if batch * size**2 <= SHORT else 1
    shares = passes * batch * np.array(works) / np.median(taken[:, : len(works)], axis=0) / best
    for name, ratio, work, share in zip(found, speedups(taken[:, : len(works)]), works, shares, strict=True):
        print(f"{name:32} {in_words(ratio):28} {work / works[0]:4.2f}x {share:12.0%}", flush=True)


def main() -> None:
    parser = options(__doc__, NUCLEI, rounds=20)
    parser.add_argument("--batch", type=count, nargs="+", default=(1, 16))
    parser.add_argument("--size", type=count, nargs="+", default=(96, 512))
    asked = parser.parse_args()
    print(setting(asked))
    plan, images = plan_of(asked, "bfloat16"), real_batch(96, 4, asked.data, asked.device).images
    for kind in engines(asked):
        model = used(built(ours(equal=True)))
        print(f"bfloat16 in {kind}: {rounding(model, make_engine(model, plan, kind), images, plan)}", flush=True)
    for size in asked.size:
        for batch in asked.batch:
            found = entries(asked, batch, size)
            rounds = asked.rounds if batch * size**2 < LONG else max(1, asked.rounds // 2)
            makers = {name: maker for name, (_, maker) in found.items()}
            with arena(makers | convolution_makers(plan), asked.device) as contestants:
                taken = compete(contestants, rounds)
            show(asked, batch, size, found, taken)


if __name__ == "__main__":
    answer(main)
