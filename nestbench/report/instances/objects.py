"""What finished runs found, read once into tables: all test cases together, and by the size of the objects."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nestbench.report.frames import CELL
from nestbench.results.instance_scores import InstanceCounts, pooled_scores, size_scores
from nestbench.results.instance_tables import read_instances
from nestbench.results.places import run_folder
from nestbench.study.schema import Run


@dataclass(frozen=True)
class Objects:
    """Scores that no single case has, of the test cases; ``CELL`` and ``seed`` name the run in each table."""

    pooled: pd.DataFrame
    """One row per finished run and output, with a column for each metric of POOLED."""
    sizes: pd.DataFrame
    """One row per finished run, output and size of the objects (``results.instance_scores.size_scores``)."""


def read_objects(folder: Path, finished: list[Run]) -> Objects:
    """Read the tables of these runs. Raises RequestError that names the file which cannot be read."""
    names = [dict(zip(CELL, run.cell.key, strict=True)) | {"seed": run.seed} for run in finished]
    counts = [read_instances(run_folder(folder, run)).of("test") for run in finished]
    return Objects(
        pooled=pd.concat([_pooled(own).assign(**name) for own, name in zip(counts, names, strict=True)]),
        sizes=pd.concat([size_scores(own.sizes).assign(**name) for own, name in zip(counts, names, strict=True)]),
    )


def _pooled(counts: InstanceCounts) -> pd.DataFrame:
    return pd.DataFrame([{"output": output} | scores for output, scores in pooled_scores(counts).items()])
