"""A study's result as a short table; the report holds the long one."""

from pathlib import Path
from statistics import mean, stdev

from nestbench.cli.answers import say_table
from nestbench.results.places import seed_folder
from nestbench.results.records import Result, read_result
from nestbench.study.schema import Cell, Study, Task

_METRICS: dict[Task, dict[str, str]] = {
    "semantic": {"IoU": "iou", "Dice": "dice"},
    "instance": {"Score": "score", "AP50": "ap50", "IoU": "iou", "Dice": "dice"},
}
"""What is printed of each task, and its name in the results."""


def say_outcome(study: Study, folder: Path) -> None:
    """Print each cell's test scores: mean and standard deviation over its finished seeds, in points."""
    rows = [_row(cell, finished) for cell in study.cells() if (finished := _finished(study, folder, cell))]
    columns = ("data set", "encoder", "model", ">seeds", *(f">{name}" for name in _METRICS[study.task]), ">parameters")
    say_table(columns, rows, title="Test scores, mean ± s.d. over seeds")


def _finished(study: Study, folder: Path, cell: Cell) -> list[Result]:
    folders = (seed_folder(folder, cell, seed) for seed in range(study.seeds))
    return [result for one in folders if (result := read_result(one))]


def _row(cell: Cell, finished: list[Result]) -> tuple[str, ...]:
    metrics = _METRICS[cell.task].values()
    scores = [_points([r.scores[r.primary][metric] for r in finished]) for metric in metrics]
    return (*cell.key, str(len(finished)), *scores, f"{finished[0].parameters:,}")


def _points(scores: list[float]) -> str:
    points = [100 * score for score in scores]
    spread = f" ± {stdev(points):.2f}" if len(points) > 1 else ""
    return f"{mean(points):.2f}{spread}"
