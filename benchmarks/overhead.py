"""What a study takes beside its training steps: data, calibration, feeding, validation, tests, start-up, report.

    python benchmarks/overhead.py STUDY [--data DIR] [--models unet,unet++ds] [--epochs 10] [--device auto]

A copy of the study, of one seed, these models (or all), so many epochs and no search, is run by `nestbench study run`
with one worker: cold, with a cache of its own that is empty, so that preparing the data and calibrating count; then
warm, with the same cache and a new folder of results. Nothing is prepared for it before.

What it is held against are as many training steps of the same networks on one batch of the data that is repeated, under
the plan that the study chose, with its loss. Steps cannot take turns with a command, so half of the epochs' steps are
taken before the warm run and half after it: how far the halves are apart says how steady the machine was. Seconds of
epochs are those of the study's own records, in which steps, feeding, validation and checkpoints are one sum; feeding
and validation are also taken alone, beside the steps. Downloads of pretrained weights, if the study has any, are not
part of the cache.
"""

import os
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import torch
from asked import answer, bare, count, folder

from nestbench import plugins
from nestbench.datasets.batches import training_batches
from nestbench.datasets.feed import feed
from nestbench.datasets.open import data_root
from nestbench.datasets.preparing import prepare
from nestbench.datasets.splits import split_cases
from nestbench.errors import RunError
from nestbench.machine import Plan, device_name, wait
from nestbench.machine.device import find_device
from nestbench.model import answering, construct
from nestbench.results.places import seed_folder
from nestbench.results.reading import read_json
from nestbench.results.records import read_epochs
from nestbench.study.files import dump_study, read_study
from nestbench.study.schema import Cell, Study
from nestbench.train import gradients, training_step, validate
from nestbench.work.job import network_spec

FILE = "overhead.yaml"
WARM_UP = 5


@dataclass(frozen=True)
class Taken:
    """Seconds of a run of the command: as a whole, and of its epochs by its own records."""

    whole: float
    epochs: float


@dataclass(frozen=True)
class Alone:
    """Seconds of parts of epochs, taken by themselves."""

    steps: float = 0.0
    feeding: float = 0.0
    validation: float = 0.0

    def __add__(self, other: "Alone") -> "Alone":
        return Alone(self.steps + other.steps, self.feeding + other.feeding, self.validation + other.validation)


def shortened(asked: Namespace, file: Path) -> Study:
    """Write the copy that is run."""
    study = read_study(asked.study)
    recipe = study.recipe.model_copy(update={"epochs": asked.epochs, "patience": asked.epochs})
    models = tuple(asked.models.split(",")) if asked.models else study.models
    changes = {"name": "overhead", "seeds": 1, "search": None, "models": models, "recipe": recipe}
    file.write_text(dump_study(study.model_copy(update=changes)), encoding="utf-8")
    return read_study(file)


def run(asked: Namespace, study: Study, scratch: Path, name: str) -> Taken:
    """Run the command, with the cache in ``scratch`` and a new folder for its results there.

    Raises RunError in its own words where it fails.
    """
    results = scratch / name
    command = [sys.executable, "-m", "nestbench", "study", "run", str(scratch / FILE), "--results", str(results)]
    command += ["--device", asked.device, "--out", str(scratch / f"{name}.pdf")]
    command += ["--data", str(asked.data)] if asked.data else []
    start = time.perf_counter()
    environment = os.environ | {"NESTBENCH_CACHE": str(scratch / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RunError(f"the study failed: {' '.join(done.stderr.split())[-500:]}")
    folders = [seed_folder(results / study.name, cell, 0) for cell in study.cells()]
    return Taken(seconds, sum(epoch.seconds for folder in folders for epoch in read_epochs(folder)))


def alone(asked: Namespace, study: Study, cell: Cell, plan: Plan, cache: Path, epochs: range) -> Alone:
    """Some epochs' steps on one batch that is repeated, after a few that are not counted; feeding; validating."""
    torch.manual_seed(0)
    recipe, prepared = study.recipe, prepare(cell.dataset, data_root(asked.data), cache)
    split = split_cases(prepared.cases, cell.dataset.split or prepared.shares)
    training, validation = (feed(prepared, side, cell.dataset, plan.device) for side in (split.train, split.validation))
    model, loss = construct(network_spec(cell, prepared)), plugins.find_plain("loss", recipe.loss)
    plan.place(model).train()
    decay = recipe.weight_decay
    optimiser = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=decay, fused=True)
    down, answer = gradients(model, loss, plan), answering(model, plan)
    images, masks = next(training_batches(training, recipe.batch, 0, 0, augmented=recipe.augment))

    def step(size: int) -> None:
        training_step(down, optimiser, images[:size], masks[:size])

    for _ in range(WARM_UP):
        step(len(images))
    found = Alone()
    for epoch in epochs:
        begin = _now(plan)
        sizes = [len(batch) for batch, _ in training_batches(training, recipe.batch, 0, epoch, recipe.augment)]
        fed = _now(plan)
        model.train()
        for size in sizes:  # they differ by one at most
            step(size)
        stepped = _now(plan)
        validate(model, answer, validation, loss)
        found += Alone(stepped - fed, fed - begin, _now(plan) - stepped)
    return found


def halves(asked: Namespace, study: Study, scratch: Path, epochs: range) -> Alone:
    """Parts of some epochs of every network, under the plan of the cold run."""
    plan = Plan(**read_json(scratch / "cold" / study.name / "plan.json"))
    plan.enter()
    found = [alone(asked, study, cell, plan, scratch / "cache", epochs) for cell in study.cells()]
    return sum(found, Alone())


def show(runs: dict[str, Taken], first: Alone, second: Alone) -> None:
    """Print each part in seconds, and as a share of the steps."""
    both = first + second
    print(f"the same steps on one repeated batch {both.steps:.1f} s, ", end="")
    print(f"by halves {first.steps:.1f} and {second.steps:.1f} s")
    print(f"by themselves: feeding {both.feeding / both.steps:.1%} of the steps, ", end="")
    print(f"validation {both.validation / both.steps:.1%}")
    for name, taken in runs.items():
        print(f"\n{name + ' run':44} {taken.whole:7.1f} s")
        print(_part("in its epochs, beyond the steps", taken.epochs - both.steps, both.steps))
        print(_part("beside its epochs", taken.whole - taken.epochs, both.steps))
        print(_part("beyond the steps, in all", taken.whole - both.steps, both.steps))


def main() -> None:
    parser = bare(__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("--data", type=folder)
    parser.add_argument("--device", type=find_device, default="auto", help="auto, cpu or cuda")
    parser.add_argument("--epochs", type=count, default=10)
    parser.add_argument("--models", default="", help="separated by commas; without it, the study's own")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch_folder:
        scratch, half = Path(scratch_folder), (asked.epochs + 1) // 2
        study = shortened(asked, scratch / FILE)
        runs = {"cold": run(asked, study, scratch, "cold")}
        first = halves(asked, study, scratch, range(half))
        runs["warm"] = run(asked, study, scratch, "warm")
        second = halves(asked, study, scratch, range(half, asked.epochs))
        plan = Plan(**read_json(scratch / "warm" / study.name / "plan.json"))
    print(f"{device_name(asked.device)}, {plan}, torch {torch.__version__}; {asked.study}, ", end="")
    print(f"{', '.join(study.models)} on {', '.join(study.encoders)}, {asked.epochs} epochs each")
    show(runs, first, second)


def _part(name: str, seconds: float, steps: float) -> str:
    return f"  {name:42} {seconds:7.1f} s {seconds / steps:8.1%} of the steps"


def _now(plan: Plan) -> float:
    wait(plan.device)
    return time.perf_counter()


if __name__ == "__main__":
    answer(main)
