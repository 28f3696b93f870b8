"""How the cost of training UNet++ grows: with image size, batch, depth, width, cases and runs.

    python benchmarks/growth.py [--rounds 5] [--threads 0]

A training step of UNet++ on timm:resnet18 under this machine's plan, one thing changed at a time from 96 x 96 pixels, a
batch of 16, depth 4 and width 16. Every setting has a process of its own; those of one table take turns. Memory is what
a setting added at its peak; the last column says up to which value this machine's memory would do, by a straight line
through the least and the largest pixels (or channels squared) that were measured. Cases and runs cost what is beside a
training step: preparing and holding a data set, and finding out what is done of a study.
"""

import argparse
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from arena import arena, compete

from nestbench.datasets.open import cache_root
from nestbench.datasets.prepared import prepare
from nestbench.losses import bce_dice
from nestbench.machine import Plan, choose_plan, cores, device_name
from nestbench.model import construct
from nestbench.model.build import specify
from nestbench.model.size import network_size
from nestbench.runner.status import study_status
from nestbench.speed.memory import held
from nestbench.speed.rounds import Pass
from nestbench.study.data import DatasetSpec
from nestbench.study.schema import Study
from nestbench.train import training_step

START = {"size": 96, "batch": 16, "depth": 4, "width": 16}
AXES = {"size": (64, 96, 128, 192), "batch": (4, 8, 16, 32), "depth": (1, 2, 3, 4), "width": (8, 16, 32, 64)}
GROWS_WITH: dict[str, Callable[[float], float]] = {
    "size": np.square,
    "batch": float,
    "width": np.square,
}
CASES = (100, 400, 1600)
RUNS = (10, 100, 1000)


def step(setting: dict[str, int], plan: Plan) -> Pass:
    """A training step of one setting."""
    torch.manual_seed(0)
    plan.enter()
    spec = replace(specify("unet++", "timm:resnet18", setting["depth"], in_channels=3), width=setting["width"])
    model = plan.place(construct(spec)).train()
    optimiser = torch.optim.AdamW(model.parameters(), 3e-4, weight_decay=0.0, fused=True)
    shape = (setting["batch"], 3, setting["size"], setting["size"])
    images, masks = torch.randn(shape), (torch.rand(shape)[:, 0] < 0.3).long()
    return lambda: float(training_step(model, images, masks, bce_dice, plan, optimiser))


def show_steps(axis: str, plan: Plan, rounds: int) -> None:
    """A table of one axis: time, work and memory against the first value."""
    settings = {f"{axis} {value}": START | {axis: value} for value in AXES[axis]}
    with arena({name: partial(step, setting, plan) for name, setting in settings.items()}) as contestants:
        taken = compete(contestants, rounds)
        memory = [one.memory() for one in contestants.values()]
    medians = np.median(taken, axis=0)
    print(f"\n{axis:12}  {'time':>7} {'work':>7} {'memory':>7} {'MiB':>7}")
    works = [work(setting) for setting in settings.values()]
    for row, name in enumerate(settings):
        print(f"{name:12} {medians[row] / medians[0]:7.2f}x {works[row] / works[0]:6.2f}x ", end="")
        print(f"{memory[row] / memory[0]:6.2f}x {memory[row] / 2**20:7.0f}")
    if axis in GROWS_WITH:
        print(
            f"the memory of this machine, {memory_here() / 2**30:.0f} GiB, would do up to {axis} {limit(axis, memory)}"
        )


def work(setting: dict[str, int]) -> int:
    """Operations of a batch's forward pass."""
    spec = replace(specify("unet++", "timm:resnet18", setting["depth"], in_channels=3), width=setting["width"])
    return setting["batch"] * network_size(spec, setting["size"]).flops


def limit(axis: str, memory: list[int]) -> int:
    """The largest value whose memory is there, by a straight line through the first and the last."""
    grown = [GROWS_WITH[axis](value) for value in AXES[axis]]
    slope = (memory[-1] - memory[0]) / (grown[-1] - grown[0])
    most = grown[0] + (memory_here() - memory[0]) / slope
    return int(most if axis == "batch" else np.sqrt(most))


def memory_here() -> int:
    """Bytes that this machine has."""
    info = Path("/proc/meminfo").read_text().split()
    return 1024 * int(info[info.index("MemTotal:") + 1])


def show_cases() -> None:
    """Preparing so many synthetic cases, and mapping them again."""
    print(f"\n{'cases':>12}  {'prepare':>9} {'again':>9} {'files':>9} {'resident':>9}")
    for count in CASES:
        with tempfile.TemporaryDirectory() as folder:
            spec = DatasetSpec.model_validate({"name": "synthetic", "size": 96, "cases": count})
            before, start = held("cpu"), time.perf_counter()
            prepared = prepare(spec, Path(folder), Path(folder))
            middle = time.perf_counter()
            prepare(spec, Path(folder), Path(folder))
            end = time.perf_counter()
            files = sum(path.stat().st_size for path in prepared.folder.iterdir())
        print(f"{count:12}  {middle - start:8.2f}s {end - middle:8.2f}s {files / 2**20:5.0f} MiB ", end="")
        print(f"{(held('cpu') - before) / 2**20:5.0f} MiB")


def show_runs() -> None:
    """Finding out what is done of a study of so many runs."""
    print(f"\n{'runs':>12}  {'status':>9}")
    for count in RUNS:
        study = Study.model_validate(
            {"name": "many", "datasets": [{"name": "synthetic"}], "models": ["unet"], "seeds": count}
        )
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            study_status(study, Path(folder))
            print(f"{count:12}  {time.perf_counter() - start:8.3f}s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    asked: Namespace = parser.parse_args()
    threads = asked.threads or cores()
    plan = replace(choose_plan("cpu", cache=cache_root()), threads=threads)
    print(
        f"{device_name('cpu')}, {threads} threads, torch {torch.__version__}, {plan.precision}, {plan.memory_format}; ",
        end="",
    )
    print(f"from {START}")
    for axis in AXES:
        show_steps(axis, plan, asked.rounds)
    show_cases()
    show_runs()


if __name__ == "__main__":
    main()
