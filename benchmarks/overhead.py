"""What a study takes beside its training steps: data, feeding, validation, tests, start-up, report.

    python benchmarks/overhead.py studies/nuclei.yaml --data DIR [--models unet,unet++ds] [--epochs 10]

Runs a copy of the study, of one seed, these models and so many epochs, as `nestbench study run` with one worker, and
takes the time of the whole command. Then as many training steps are taken on one batch that is repeated, under the same
plan, and the difference is what else the study did. The parts that can be told apart are shown: seconds of the
epochs (steps, feeding and validation) by the study's own records, and the rest.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import yaml

from nestbench.datasets.feed import feed, training_batches
from nestbench.datasets.open import cache_root, data_root
from nestbench.datasets.prepared import Prepared, prepare
from nestbench.datasets.splits import split_cases
from nestbench.losses import bce_dice
from nestbench.machine import Plan
from nestbench.model import construct
from nestbench.results.reading import read_json
from nestbench.results.records import read_epochs, seed_folder
from nestbench.runner.job import network_spec
from nestbench.study.files import read_study
from nestbench.study.schema import Cell, Study
from nestbench.train import training_step, validate


def whole(file: Path, folder: Path, data: Path | None) -> float:
    """Seconds of the command."""
    command = [sys.executable, "-m", "nestbench", "study", "run", str(file), "--results", str(folder)]
    command += ["--out", str(folder / "report.pdf")] + (["--data", str(data)] if data else [])
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def alone(study: Study, cell: Cell, prepared: Prepared, plan: Plan, epochs: int) -> dict[str, float]:
    """Seconds of so many epochs' steps on one repeated batch, of feeding them, and of validating as often."""
    torch.manual_seed(0)
    split, recipe = split_cases(prepared.cases, cell.dataset.split or prepared.shares), study.recipe
    training, validation = (feed(prepared, side, cell.dataset, plan.device) for side in (split.train, split.validation))
    model = plan.place(construct(network_spec(cell, prepared))).train()
    optimiser = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=0.0, fused=True)
    found = {"steps": 0.0, "feeding": 0.0, "validation": 0.0}
    for epoch in range(epochs):
        model.train()
        start = time.perf_counter()
        fed = list(training_batches(training, recipe.batch, 0, epoch, augmented=recipe.augment))
        middle = time.perf_counter()
        for images, _ in fed:
            training_step(model, fed[0][0][: len(images)], fed[0][1][: len(images)], bce_dice, plan, optimiser)
        end = time.perf_counter()
        validate(model, validation, bce_dice, plan)
        last = time.perf_counter()
        for key, seconds in zip(found, (end - middle, middle - start, last - end), strict=True):
            found[key] += seconds
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--models", default="unet,unet++ds")
    parser.add_argument("--epochs", type=int, default=10)
    asked = parser.parse_args()
    content = yaml.safe_load(asked.study.read_text(encoding="utf-8"))
    content |= {"name": "overhead", "seeds": 1, "models": asked.models.split(",")}
    content["recipe"] |= {"epochs": asked.epochs, "patience": asked.epochs}
    with tempfile.TemporaryDirectory() as scratch:
        file, folder = Path(scratch) / "overhead.yaml", Path(scratch) / "results"
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        study = read_study(file)
        (spec,) = study.datasets
        prepared = prepare(spec, data_root(asked.data), cache_root())
        seconds = whole(file, folder, asked.data)
        plan = Plan(**read_json(folder / study.name / "plan.json"))
        plan.enter()
        rows = []
        for cell in study.cells():
            epochs = read_epochs(seed_folder(folder / study.name, cell, 0))
            rows.append(alone(study, cell, prepared, plan, len(epochs)) | {"epochs": sum(e.seconds for e in epochs)})
    total = {key: sum(row[key] for row in rows) for key in rows[0]}
    print(f"{asked.study}, {asked.models}, {asked.epochs} epochs each, {len(prepared.cases)} cases, {plan}")
    print(f"the whole command {seconds:.0f} s; its epochs, by its own records, {total['epochs']:.0f} s")
    print(f"the same steps on one repeated batch {total['steps']:.0f} s")
    for key in ("feeding", "validation"):
        print(f"{key} {total[key]:.1f} s, {total[key] / total['steps']:.1%} of the steps")
    print(f"start-up, tests, timing, report {(seconds - total['epochs']) / total['steps']:.1%} of the steps")
    print(f"beyond the steps, in all, {seconds / total['steps'] - 1:.1%}")


if __name__ == "__main__":
    main()
