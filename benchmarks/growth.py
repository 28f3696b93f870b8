"""How the cost of UNet++ grows: with image size, batch, depth, width, cases and runs.

    python benchmarks/growth.py [--rounds 5] [--only runs] [--threads N] [--device auto]

A training step on timm:resnet18 under the machine's plan, one thing changed at a time from 96 x 96 pixels, a batch of
16, depth 4 and width 16. Cases: preparing a synthetic data set of so many, into an empty folder each time. Runs: the
report of a study of so many, whose files are copies of those of one run that was really made, with 60 test cases.
Every setting has a process of its own; those of one table take turns. Times are medians against the first, with 95 %
intervals; memory is what a setting added at its peak. The last line says up to which value the memory of the device,
or of the machine, would do: by a straight line through the first and the last row, in pixels or channels squared for
sides and widths; it is left out for the depth, and where memory hardly grew.
"""

import json
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import numpy as np
import torch
from arena import Maker, arena, compete, in_words
from asked import answer, options

from nestbench.datasets.open import cache_root
from nestbench.datasets.preparing import prepare
from nestbench.errors import RunError
from nestbench.losses import bce_dice
from nestbench.machine import Plan, choose_plan, device_name, memory_of
from nestbench.model import ModelSpec, construct
from nestbench.model.build import specify
from nestbench.model.size import network_size
from nestbench.report.pages import build_report
from nestbench.speed.pace import ratios
from nestbench.speed.rounds import Pass
from nestbench.study.data import DatasetSpec
from nestbench.train import gradients, training_step

START = {"size": 96, "batch": 16, "depth": 4, "width": 16}
AXES = {"size": (64, 96, 128, 192), "batch": (4, 8, 16, 32), "depth": (1, 2, 3, 4), "width": (8, 16, 32, 64)}
CASES = (100, 400, 1600)
RUNS = (10, 100, 1000)
SQUARED = ("size", "width")
GROWN = 1.1
"""Memory that the last value takes of the first's, from which a straight line says something."""

STUDY = {
    "name": "many",
    "datasets": [{"name": "synthetic", "size": 32, "cases": 200}],
    "encoders": ["plain:4"],
    "models": ["unet"],
    "depth": 1,
    "recipe": {"epochs": 1},
}
"""The study of one run."""


@dataclass(frozen=True)
class Axis:
    """What grows, and each of its values as a contestant."""

    name: str
    makers: dict[int, Maker]
    work: list[int]
    """Operations of each value; empty where they are not counted."""
    device: str


def step(setting: dict[str, int], plan: Plan) -> Pass:
    """A training step of one setting."""
    torch.manual_seed(0)
    plan.enter()
    model = construct(spec_of(setting)).train()
    plan.place(model)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-4, weight_decay=0.0, fused=True)
    shape = (setting["batch"], 3, setting["size"], setting["size"])
    images, masks = torch.randn(shape, device=plan.device), (torch.rand(shape, device=plan.device)[:, 0] < 0.3).long()
    down = gradients(model, bce_dice, plan)
    return lambda: float(training_step(down, optimiser, images, masks))


def spec_of(setting: dict[str, int]) -> ModelSpec:
    """UNet++ of a depth and a width."""
    spec = cast(ModelSpec, specify("unet++", "timm:resnet18", setting["depth"], in_channels=3))
    return replace(spec, width=setting["width"])


def preparing(count: int) -> Pass:
    """Preparing a data set of so many cases."""
    spec = DatasetSpec.model_validate({"name": "synthetic", "size": 96, "cases": count})

    def work() -> None:
        with TemporaryDirectory() as folder:
            prepare(spec, Path(folder), Path(folder))

    return work


def reporting(results: Path, count: int) -> Pass:
    """The report of a study of so many runs, whose files are copies of the one that lies in ``results``."""
    study = results.parent / f"{count} runs"
    shutil.copytree(results, study)
    (first,) = study.glob("*/*/*/seed-0")
    for seed in range(1, count):
        shutil.copytree(first, first.parent / f"seed-{seed}")
    file = study / "study.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("seeds: 1", f"seeds: {count}"), encoding="utf-8")
    return partial(build_report, [study], study / "report.pdf")


def made(scratch: Path) -> Path:
    """The results of a study of one run."""
    file, results = scratch / "many.yaml", scratch / "results"
    file.write_text(json.dumps(STUDY | {"seeds": 1}), encoding="utf-8")  # JSON is YAML
    command = [sys.executable, "-m", "nestbench", "study", "run", str(file), "--results", str(results)]
    done = subprocess.run([*command, "--out", str(scratch / "one.pdf")], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"the study of one run failed: {' '.join(done.stderr.split())[-500:]}")
    return results / "many"


def axes(plan: Plan, results: Path) -> list[Axis]:
    """All that is made to grow."""
    found = []
    for name, values in AXES.items():
        settings = {value: START | {name: value} for value in values}
        work = [one["batch"] * network_size(spec_of(one), one["size"]).flops for one in settings.values()]
        makers: dict[int, Maker] = {value: partial(step, setting, plan) for value, setting in settings.items()}
        found.append(Axis(name, makers, work, plan.device))
    found.append(Axis("cases", {count: partial(preparing, count) for count in CASES}, [], "cpu"))
    found.append(Axis("runs", {count: partial(reporting, results, count) for count in RUNS}, [], "cpu"))
    return found


def show(axis: Axis, rounds: int) -> None:
    """Print the table of an axis."""
    with arena({f"{axis.name} {value}": maker for value, maker in axis.makers.items()}, axis.device) as contestants:
        taken = compete(contestants, rounds)
        memory = [one.memory() for one in contestants.values()]
    print(f"\n{axis.name:12} {'time':22} {'work' if axis.work else '':>8} {'memory':>8}")
    for row, (name, ratio) in enumerate(zip(contestants, ratios(taken, 0), strict=True)):
        work = f"{axis.work[row] / axis.work[0]:.2f}x" if axis.work else ""
        print(f"{name:12} {in_words(ratio):22} {work:>8} {memory[row] / 2**20:5.0f} MiB")
    print(f"the first takes {np.median(taken, axis=0)[0]:.3g} s")
    if memory[-1] > GROWN * memory[0] and axis.name != "depth":
        room = memory_of(axis.device)
        print(f"{room / 2**30:.0f} GiB, which are here, would do up to {axis.name} {limit(axis, memory, room):,}")


def limit(axis: Axis, memory: list[int], room: int) -> int:
    """The largest value whose memory is there, by a straight line through the first and the last."""
    grow: Callable[[float], float] = np.square if axis.name in SQUARED else float
    first, *_, last = map(grow, axis.makers)
    most = first + (room - memory[0]) * (last - first) / (memory[-1] - memory[0])
    return int(np.sqrt(most) if axis.name in SQUARED else most)


def main() -> None:
    parser = options(__doc__, rounds=5)
    parser.add_argument("--only", choices=(*AXES, "cases", "runs"), nargs="+", help="only these tables")
    asked: Namespace = parser.parse_args()
    plan = replace(choose_plan(asked.device, cache=cache_root()), threads=asked.threads)
    print(f"{device_name(plan.device)}, {plan.threads} threads, torch {torch.__version__}, ", end="")
    print(f"{plan.precision}, {plan.memory_format}, {asked.rounds} rounds; from {START}")
    with TemporaryDirectory() as scratch:
        for axis in axes(plan, made(Path(scratch))):
            if not asked.only or axis.name in asked.only:
                show(axis, asked.rounds)


if __name__ == "__main__":
    answer(main)
