"""Other ways of answering than the library's engine on torch, beside it, in one run.

    python benchmarks/alternatives_inference.py [--data DIR] [--size 96] [--batch 1] [--rounds 20] [--threads N]
                                                [--device auto] [--compile]

UNet++ of default width. Every contestant has a process of its own, and they take turns. The first is the engine by
which studies are judged: bfloat16 by autocast, channels last. Each of the others is checked before it takes part: what
is changed in the network (`ways.py`, `fold_norms`) may move no float32 logit by a thousandth of the largest, and each
engine (`ready.py`, `buffers.py`) must answer within bfloat16 rounding of float32 (`rounding.py`). ONNX Runtime, which
has no bfloat16 on a CPU, computes in float32. `compiled` takes minutes and takes part only with `--compile`; `frozen`
is compiled with its weights as constants, which torch then packs for oneDNN.
"""

import importlib.util
from argparse import Namespace
from collections.abc import Callable
from functools import partial

from arena import Maker, arena, compete, in_words, speedups
from asked import NUCLEI, answer, options
from buffers import in_buffers
from contestants import SHORT, built, many, ours, plan_of, real_batch, setting
from ready import fold_norms, in_inductor, in_onnxruntime, in_torchscript, weights_in_bfloat16
from rounding import checked, used
from ways import change, check_size, fold_upsampling, split_weights

from nestbench.engine import Engine, make_engine
from nestbench.machine import Plan
from nestbench.model import Network
from nestbench.speed.rounds import Pass

Way = Callable[[Network, Plan], Engine]


def changed(way: Callable[[Network], None], make: Way, model: Network, plan: Plan) -> Engine:
    """A network that is changed first, in an engine."""
    return make(change(model, way), plan)


ON_TORCH: dict[str, Way] = {
    "the library's engine": make_engine,
    "split weights": partial(changed, split_weights, make_engine),
    "upsampling folded": partial(changed, fold_upsampling, make_engine),
    "one buffer a level": in_buffers,
    "batch norm folded": partial(changed, fold_norms, make_engine),
    "weights in bfloat16": weights_in_bfloat16,
    "  and batch norm folded": partial(changed, fold_norms, weights_in_bfloat16),
    "TorchScript, frozen": in_torchscript,
}
ON_A_CPU: dict[str, Way] = {
    "  packed for oneDNN": partial(in_torchscript, prepacked=True),
    "ONNX Runtime, float32": in_onnxruntime,
    "OpenVINO": partial(make_engine, kind="openvino"),
}
COMPILED: dict[str, Way] = {
    "compiled": partial(in_inductor, frozen=False),
    "  frozen": partial(in_inductor, frozen=True),
}
PACKAGES = {"ONNX Runtime, float32": "onnxruntime", "OpenVINO": "openvino"}


def contestant(asked: Namespace, way: Way) -> Pass:
    """An engine that has been checked."""
    plan = plan_of(asked, "bfloat16")
    plan.enter()
    model, original = (used(built(ours(equal=False))) for _ in range(2))
    images = real_batch(asked.size, asked.batch, asked.data, asked.device).images
    return partial(checked(original, way(model, plan), images, plan).logits, images)


def ways(asked: Namespace) -> dict[str, Way]:
    """Those that this machine, and what is installed on it, allow."""
    found = ON_TORCH | (ON_A_CPU if asked.device == "cpu" else {}) | (COMPILED if asked.compile else {})
    missing = {name for name, package in PACKAGES.items() if importlib.util.find_spec(package) is None}
    return {name: way for name, way in found.items() if name not in missing}


def main() -> None:
    parser = options(__doc__, NUCLEI, size=96, batch=1, rounds=20)
    parser.add_argument("--compile", action="store_true", help="let what torch compiles take part")
    asked = parser.parse_args()
    check_size(asked.size)
    found = ways(asked)
    makers: dict[str, Maker] = {name: partial(contestant, asked, way) for name, way in found.items()}
    if asked.batch * asked.size**2 <= SHORT:
        makers = {name: partial(many, maker) for name, maker in makers.items()}
    with arena(makers, asked.device) as contestants:
        taken = compete(contestants, asked.rounds)
    print(f"{setting(asked)}, batch {asked.batch}, {asked.size} x {asked.size} pixels")
    print(f"{'':26} images/s against the first")
    for name, ratio in zip(found, speedups(taken), strict=True):
        print(f"{name:26} {in_words(ratio)}")


if __name__ == "__main__":
    answer(main)
