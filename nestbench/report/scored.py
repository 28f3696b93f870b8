"""A cell's finished runs, from counts to scores."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from nestbench.results import instance_scores
from nestbench.results.finished import Finished
from nestbench.results.scores import case_scores, class_scores, one_class
from nestbench.study.schema import Task

Scored = tuple[pd.DataFrame, pd.DataFrame | None, pd.DataFrame]
"""Of a run: scores of its cases, those of its classes where it has several, and its epochs."""


def scored(done: Sequence[Finished], task: Task) -> list[Scored]:
    """The tables of each run of a cell."""
    if task == "instance":
        return [(instance_scores.case_scores(run.cases), None, run.epochs) for run in done]
    if all(one_class(run.cases) for run in done):
        return [(cases, None, run.epochs) for cases, run in zip(_at_once(done), done, strict=True)]
    return [(case_scores(run.cases), _class_scores(run), run.epochs) for run in done]


def _at_once(done: Sequence[Finished]) -> Iterator[pd.DataFrame]:
    """Scores of each run's cases, one class each, worked out together: a row for each row of counts."""
    every = case_scores(pd.concat([run.cases for run in done], ignore_index=True)) if done else pd.DataFrame()
    ends = np.cumsum([len(run.cases) for run in done])
    yield from (every.iloc[end - len(run.cases) : end] for end, run in zip(ends, done, strict=True))


def _class_scores(run: Finished) -> pd.DataFrame:
    judged = run.cases[(run.cases["split"] == "test") & (run.cases["output"] == run.result.primary)]
    return class_scores(judged)


def empty_cases(counts: pd.DataFrame) -> tuple[int, int]:
    """How many test cases have no pixel of any class, and how many there are."""
    tested = counts[counts["split"] == "test"]
    pixels = (tested["tp"] + tested["fn"]).groupby(tested["case"].to_numpy()).sum()
    return int((pixels == 0).sum()), len(pixels)
