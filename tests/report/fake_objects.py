"""Writes results of an instance study that nobody ran, from pictures that are drawn and answers that are made up."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from fake_numbers import epochs, random
from scipy.ndimage import gaussian_filter

from nestbench.datasets.contract import Sample
from nestbench.datasets.objects import measure
from nestbench.datasets.readers.synthetic import Synthetic
from nestbench.instances.count import count
from nestbench.instances.detected import Detected, from_masks
from nestbench.instances.separate import METHODS, Method, Separation, segment
from nestbench.results.instance_scores import InstanceCounts, joined, mean_scores
from nestbench.results.instance_tables import write_instances
from nestbench.results.places import run_folder
from nestbench.results.predictions import writing_predictions
from nestbench.results.records import Result, write_epochs, write_objects, write_result
from nestbench.study.data import DatasetSpec
from nestbench.study.files import dump_study
from nestbench.study.models import is_detector
from nestbench.study.schema import Run, Study

MODELS = ("unet", "unet++", "maskrcnn", "maskrcnn++")
BLUR = {"unet": 2.0, "unet++": 1.6, "maskrcnn": 1.0, "maskrcnn++": 0.8}
MILLIONS = {"unet": 14.3, "unet++": 16.0, "maskrcnn": 31.2, "maskrcnn++": 33.0}


def write_fake_objects(root: Path, cases: int = 6, seeds: int = 3, speed: bool = True) -> Path:
    """Write results/fake-objects below ``root`` and return its folder."""
    dataset = DatasetSpec.model_validate({"name": "nuclei", "size": 128})
    study = Study(name="fake-objects", task="instance", datasets=(dataset,), models=MODELS, seeds=seeds)
    folder, samples = root / study.name, drawn(cases)
    _write_dataset(folder / "nuclei", samples)
    for cell in study.cells():
        for seed in range(seeds):
            run = Run(cell=cell, recipe=study.recipe, seed=seed)
            _write_run(run_folder(folder, run), run, samples)
    (folder / "study.yaml").write_text(dump_study(study))
    _dump(folder / "plan.json", {"device": "cpu", "precision": "float32", "memory_format": "contiguous", "threads": 1})
    if speed:
        _dump(folder / "speed" / "cpu.json", {"device": "AMD EPYC 9V74 80-Core Processor", "rows": _speed(study)})
    return folder


def drawn(cases: int) -> dict[str, Sample]:
    data = Synthetic(Path())
    return {case.id: data.read(case) for case in data.cases()[:cases]}


def outputs(model: str) -> tuple[str, ...]:
    return ("masks",) if is_detector(model) else METHODS


def chosen(output: str, seed: int) -> dict[str, Any]:
    if output == "masks":
        return {"least": (0.7, 0.9)[seed % 2]}
    return asdict(Separation(cast(Method, output), 0.3, smallest=5))


def _write_dataset(folder: Path, samples: dict[str, Sample]) -> None:
    about: dict[str, Any] = {
        "name": "nuclei",
        "title": "2018 Data Science Bowl, stage1_train",
        "licence": "CC0-1.0",
        "citation": "Caicedo et al., Nature Methods 16, 1247-1253 (2019)",
        "url": "https://bbbc.broadinstitute.org/BBBC038",
        "classes": ["background", "nucleus"],
        **{"channels": 1, "dims": 2, "volumes": False, "size": 128, "patch": None, "spacing": None, "window": None},
        "twins": [],
        "subjects": 3 * len(samples),
        "counts": {"train": 8, "validation": 4, "test": len(samples)},
        "split": {"train": [], "validation": [], "test": list(samples)},
        "content": "0123456789abcdef" * 4,
    }
    _dump(folder / "dataset.json", about)
    tables = [measure(one.mask, one.instances).assign(case=case, subject=case) for case, one in samples.items()]
    write_objects(folder, pd.concat(tables))
    names = list(samples)[:3]
    shown = {f"image-{i}": samples[name].image for i, name in enumerate(names)}
    shown |= {f"mask-{i}": samples[name].mask for i, name in enumerate(names)}
    shown |= {f"instances-{i}": samples[name].instances for i, name in enumerate(names)}
    np.savez(folder / "overlays.npz", cases=np.array(names), planes=np.zeros(3, int), **shown)


def _write_run(folder: Path, run: Run, samples: dict[str, Sample]) -> None:
    folder.mkdir(parents=True)
    model, draw = run.cell.model, random(run.cell.key, run.seed)
    found = {case: _answers(model, one.instances, random(model, run.seed, case)) for case, one in samples.items()}
    counts = joined(
        count(samples[case].instances, one, {"split": split, "case": case, "subject": case, "output": output})
        for case, answers in found.items()
        for output, one in answers.items()
        for split in ("validation", "test")
    )
    write_instances(folder, InstanceCounts(*counts))
    curve = epochs(draw, 20, 0.8)
    write_epochs(folder, curve)
    primary = outputs(model)[-1]
    with writing_predictions(folder) as write:
        for case, answers in found.items():
            write(case, answers[primary].labels[None])
    result = Result(
        identity={"run": {"cell": run.cell.model_dump(mode="json"), "recipe": {}, "seed": run.seed}},
        primary=primary,
        validation=0.5,
        best_epoch=15,
        epochs=20,
        stopped="patience",
        parameters=int(1e6 * MILLIONS[model]),
        seconds=300.0,
        scores=mean_scores(counts, "test"),
        chosen={output: chosen(output, run.seed) for output in outputs(model)},
        environment={"python": "3.11.9", "torch": "2.11.0", "nestbench": "0.1.0"},
    )
    write_result(folder, result)


def _answers(model: str, truth: np.ndarray, draw: np.random.Generator) -> dict[str, Detected]:
    """A blurred foreground told apart, or each object blurred by itself, some missed and some invented."""
    blur = BLUR[model] + draw.uniform(-0.1, 0.1)
    noise = gaussian_filter(draw.normal(size=truth.shape), 2)
    if not is_detector(model):
        probability = np.clip(gaussian_filter((truth > 0).astype(float), blur) + 0.3 * noise, 0, 1)
        return {method: segment(probability, Separation(method, smallest=5, smooth=2.0)) for method in METHODS}
    kept = [n for n in np.unique(truth) if n and draw.random() < 0.92]
    masks = [gaussian_filter((truth == n).astype(float), blur) + 0.2 * noise > 0.5 for n in kept]
    for place in draw.integers(8, 120, (2, 2)):
        masks.append(np.hypot(*(np.indices(truth.shape) - place[:, None, None])) < 4)
    return {"masks": from_masks(np.array(masks), draw.uniform(0.5, 1, len(masks)))}


def _speed(study: Study) -> list[dict[str, Any]]:
    return [
        {"dataset": cell.dataset.title, "encoder": cell.encoder, "model": cell.model, "output": output, "depth": 4}
        | {"parameters": 1, "flops": 1, "batch": 1, "median_ms": 20.0 + n, "q25_ms": 19.0 + n, "q75_ms": 22.5 + n}
        for n, cell in enumerate(study.cells())
        for output in outputs(cell.model)
    ]


def _dump(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
