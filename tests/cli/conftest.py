from collections.abc import Callable
from pathlib import Path

import pytest

from nestbench.results.records import Epoch, Result
from nestbench.study.data import DatasetSpec
from nestbench.study.schema import Run, Study

TEXT = """\
name: small
datasets: [{name: synthetic, size: 32}]
encoders: [plain:4]
models: [unet, unet++ds]
depth: 2
seeds: 2
"""


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def study() -> Study:
    spec = DatasetSpec(name="synthetic", size=32)
    return Study(name="small", datasets=(spec,), encoders=("plain:4",), models=("unet", "unet++ds"), depth=2, seeds=2)


@pytest.fixture
def runs(study: Study) -> list[Run]:
    return [Run(cell=cell, recipe=study.recipe, seed=seed) for cell in study.cells() for seed in range(study.seeds)]


@pytest.fixture
def epoch() -> Callable[[int, float], Epoch]:
    def make(index: int, iou: float) -> Epoch:
        return Epoch(index, train_loss=0.5, validation_loss=0.6, validation_iou=iou, best=True, seconds=2.0)

    return make


@pytest.fixture
def result() -> Callable[..., Result]:
    def make(iou: float = 0.8, seconds: float = 30.0) -> Result:
        scores = {"L2": {"iou": iou, "dice": iou + 0.1, "mean_iou": 0.9, "mean_iou_thresholds": 0.9}}
        return Result(
            identity={},
            primary="L2",
            validation=iou,
            best_epoch=3,
            epochs=7,
            stopped="patience",
            parameters=12_345,
            seconds=seconds,
            scores=scores,
        )

    return make
