from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import pytest

from nestbench.cli.outcome import say_outcome
from nestbench.results.places import run_folder
from nestbench.results.records import Result, write_result
from nestbench.study.schema import Run, Study


def test_each_cell_is_a_row_of_means_over_its_finished_seeds(
    tmp_path: Path,
    study: Study,
    runs: list[Run],
    result: Callable[..., Result],
    capsys: pytest.CaptureFixture[str],
) -> None:
    scores = {runs[0]: 0.712, runs[1]: 0.745, runs[2]: 0.5}
    for run, iou in scores.items():
        write_result(run_folder(tmp_path, run), replace(result(iou), parameters=1_000))
    say_outcome(study, tmp_path)
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if "plain:4" in line]
    points = [71.2, 74.5]
    expected = ["2", f"{mean(points):.2f}", "±", f"{stdev(points):.2f}"]
    assert [row[2] for row in rows] == ["unet", "unet++ds"]
    assert rows[0][3:7] == expected
    assert rows[1][3:5] == ["1", "50.00"]
    assert rows[1][-1] == "1,000"


def test_of_objects_the_score_and_average_precision_are_said_too(
    tmp_path: Path, study: Study, result: Callable[..., Result], capsys: pytest.CaptureFixture[str]
) -> None:
    apart = study.model_copy(update={"task": "instance", "models": ("maskrcnn",), "seeds": 1})
    (cell,) = apart.cells()
    scores = {"masks": {"score": 0.25, "ap": 0.2, "ap50": 0.4, "iou": 0.7, "dice": 0.8}}
    run = Run(cell=cell, recipe=apart.recipe, seed=0)
    write_result(run_folder(tmp_path, run), replace(result(), primary="masks", scores=scores))
    say_outcome(apart, tmp_path)
    titles, row = (
        line.split() for line in capsys.readouterr().out.splitlines() if "encoder" in line or "plain:4" in line
    )
    assert titles[-6:] == ["seeds", "Score", "AP50", "IoU", "Dice", "parameters"]
    assert row[-6:-1] == ["1", "25.00", "40.00", "70.00", "80.00"]
