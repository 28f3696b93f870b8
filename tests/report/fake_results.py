"""Writes results of a study that nobody ran, realistic in every file that the report reads."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fake_numbers import GAIN, SIZE, Fake, counts, epochs, random, size, speed, stand_in

from nestbench.results.importance import Importance, write_importance
from nestbench.results.places import cell_folder, run_folder
from nestbench.results.predictions import writing_predictions
from nestbench.results.records import (
    Result,
    fingerprint,
    write_cases,
    write_epochs,
    write_failure,
    write_objects,
    write_result,
)
from nestbench.results.scores import mean_scores
from nestbench.study.data import DatasetSpec
from nestbench.study.files import dump_study
from nestbench.study.schema import Run, Search, Study
from nestbench.study.words import slug
from nestbench.topology import parse, topology


def write_fake(root: Path, fake: Fake) -> Path:
    """Write results/<study> below ``root`` and return its folder."""
    study = _study(fake)
    folder = root / study.name
    for number, spec in enumerate(study.datasets):
        _write_dataset(folder / slug(spec.title), spec, fake, number)
    for cell in study.cells():
        for seed in range(study.seeds):
            run = Run(cell=cell, recipe=study.recipe, seed=seed)
            path = run_folder(folder, run)
            if {cell.model, f"{cell.model}/{run.label}"} & set(fake.failed):
                write_failure(path, "the loss was not finite in epoch 7")
            else:
                _write_run(path, run, fake)
        if fake.search:
            shares = (
                {"learning_rate": 0.7, "loss": 0.3} if cell.model == "unet" else {"learning_rate": 0.55, "loss": 0.45}
            )
            write_importance(cell_folder(folder, cell), Importance("PED-ANOVA", 20, shares))
    (folder / "study.yaml").write_text(dump_study(study))
    _dump(
        folder / "plan.json", {"device": "cpu", "precision": "bfloat16", "memory_format": "channels-last", "threads": 2}
    )
    if fake.speed:
        _dump(folder / "speed" / "cpu.json", speed(study))
    return folder


def _study(fake: Fake) -> Study:
    space: dict[str, Any] = {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "loss": ["dice", "bce-dice"]}
    return Study(
        name="fake-nuclei",
        datasets=tuple(
            DatasetSpec.model_validate({"name": name, "size": SIZE, "path": fake.path}) for name in fake.datasets
        ),
        encoders=fake.encoders,
        models=fake.models,
        seeds=fake.seeds,
        search=Search.model_validate({"trials": 20, "space": space, "stopper": "hyperband"}) if fake.search else None,
    )


def _masks(dataset: str, fake: Fake) -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    masks = np.zeros((fake.cases, SIZE, SIZE), np.uint8)
    for index, mask in enumerate(masks):
        draw = random(dataset, index)
        for _ in range(5):
            y, x, radius = *draw.uniform(3, SIZE - 3, 2), draw.uniform(2, 6)
            mask[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = draw.integers(1, len(fake.classes))
    return masks


def _write_dataset(folder: Path, spec: DatasetSpec, fake: Fake, number: int) -> None:
    channels = 3 if number == 0 else 1
    names, masks = fake.names, _masks(spec.title, fake)
    about = {
        "name": spec.name,
        "title": "2018 Data Science Bowl, stage 1 training set",
        "licence": "CC0 1.0",
        "citation": "Caicedo et al., Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl, "
        "Nature Methods 16, 1247-1253 (2019)",
        "url": "https://bbbc.broadinstitute.org/BBBC038",
        "classes": list(fake.classes),
        "channels": channels,
        "dims": 2,
        "volumes": False,
        "size": spec.size,
        "patch": None,
        "spacing": None,
        "window": None,
        "twins": [],
        "subjects": 3 * fake.cases,
        "counts": {"train": 60, "validation": 20, "test": fake.cases},
        "split": {"train": [], "validation": [], "test": names},
        "content": fingerprint(spec.title) * 4,
    }
    _dump(folder / "dataset.json", about)
    _write_objects(folder, fake.names)
    noise = random(spec.title, "image").normal(0, 12, (3, SIZE, SIZE, channels))
    images = np.clip(40 + 45 * masks[:3, ..., None] + noise, 0, 255).astype(np.uint8)
    if channels == 3:
        images[1] = 255 - images[1]
    shown = {f"{kind}-{i}": one[i] for i in range(3) for kind, one in (("image", images), ("mask", masks))}
    np.savez(folder / "overlays.npz", cases=np.array(names[:3]), planes=np.zeros(3, int), **shown)


def _write_objects(folder: Path, names: list[str]) -> None:
    """Two objects a case, larger from case to case; every eighth case has none."""
    kept = [(name, 4.0 + index + extra) for index, name in enumerate(names) if index % 8 != 7 for extra in (0, 2)]
    write_objects(folder, pd.DataFrame(kept, columns=["case", "diameter"]))


def _write_run(folder: Path, run: Run, fake: Fake) -> None:
    grid = topology(stand_in(run.cell.model), run.cell.depth)
    member = parse(stand_in(run.cell.model), run.cell.depth)[0]
    draw = random(run.cell.key, run.seed)
    cases = pd.concat([counts(run, fake, output, side) for side in ("validation", "test") for output in grid.outputs])
    folder.mkdir(parents=True)
    write_cases(folder, cases)
    curve = epochs(draw, 30 + int(draw.integers(0, 25)), 0.8 + GAIN[member])
    write_epochs(folder, curve)
    names, masks = fake.names, _masks(run.cell.dataset.title, fake)
    with writing_predictions(folder) as write:
        shift = int(draw.integers(-2, 3))
        for name, mask in zip(names, masks, strict=True):
            others = {output: np.roll(mask[None], shift + i, axis=2) for i, output in enumerate(grid.outputs[:-1], 1)}
            write(name, np.roll(mask[None], shift, axis=2), others)
    recipe = run.recipe.model_dump() | {"learning_rate": float(10 ** draw.uniform(-4, -2))}
    result = Result(
        identity={"run": {"cell": run.cell.model_dump(mode="json"), "recipe": recipe, "seed": run.seed}},
        primary=grid.primary,
        validation=max(e.validation_iou for e in curve),
        best_epoch=len(curve) - 5,
        epochs=len(curve),
        stopped="patience",
        parameters=size(member, grid.depth),
        seconds=300.0,
        memory=int(draw.integers(500, 900)) * 2**20,
        testing=12.0,
        scores=mean_scores(cases, "test"),
        environment={
            "cpu": "AMD EPYC 9V74 80-Core Processor",
            "python": "3.11.9",
            "torch": "2.11.0",
            "nestbench": "0.1.0",
        },
    )
    write_result(folder, result)


def _dump(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
