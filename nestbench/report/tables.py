"""The numbers of the report: stateless functions from the evidence to tables, in shares of 0 to 1.

A mean is over subjects, each the mean of its cases: the same mean that the tests compare.
"""

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from nestbench.report.frames import CELL, PANEL, first, groups, rows
from nestbench.report.gather import Evidence
from nestbench.report.names import title
from nestbench.report.statistics.comparisons import BETTER, WORSE, grid, verdicts
from nestbench.report.statistics.resampling import bootstrap, first_rank
from nestbench.results.scores import METRICS


def members(evidence: Evidence, comparisons: pd.DataFrame) -> pd.DataFrame:
    """The main table: one row per cell with its scores over seeds, its size and its verdict.

    ``verdict`` is against ``unet``, or the first finished member where the study has none; ``best`` says that the
    corrected test puts the member above every other one of its panel; ``rank_1`` is how often it has the highest mean
    when seeds and subjects are drawn again.
    """
    found, said = [], verdicts(comparisons)
    for (dataset, encoder), panel in groups(evidence.primary_cases, PANEL):
        names = first(panel, "model")
        reference = "unet" if "unet" in names else names[0]
        tops = first_rank(panel)
        lost = f"{title(reference, evidence.study.depth)} {BETTER}"
        for model, own in groups(panel, "model"):
            words = {n: said[dataset, encoder, model, n] for n in names if n != model}
            best = bool(words) and set(words.values()) == {BETTER}
            word = words.get(reference, "")
            row = {"dataset": dataset, "encoder": encoder, "model": model, **_scores(own), "rank_1": tops[model]}
            found.append(row | {"reference": reference, "verdict": lost if word == WORSE else word, "best": best})
    sizes = evidence.done.groupby(CELL, sort=False, as_index=False)["parameters"].first()
    return pd.DataFrame(found).merge(sizes, on=CELL, how="left")


def depths(evidence: Evidence, heads: pd.DataFrame) -> pd.DataFrame:
    """One row per member, output and device: IoU on test and validation, the pruned network's size and time.

    ``heads`` is the table of what can be pruned; ``decision`` is what it says of a head, and '' where it says nothing.
    """
    key = [*CELL, "output"]
    table = _by_seed(evidence.cases, "test")
    table = table.merge(_by_seed(evidence.cases, "validation"), on=key, how="left")
    speed = evidence.speed.assign(output=evidence.speed["output"].replace("all", "ensemble"))
    table = table.merge(speed, on=key, how="left")
    decided = {tuple(row[:4]): row[4] for row in _decisions(heads)}
    return table.assign(decision=[decided.get(tuple(row), "") for row in table[key].to_numpy()])


def chosen(evidence: Evidence) -> pd.DataFrame:
    """The value that the search chose for each key of its space, by cell; empty without a search."""
    if evidence.study.search is None:
        return pd.DataFrame()
    first = evidence.done.groupby(CELL, sort=False, as_index=False).first()
    values = {key: [recipe.get(key) for recipe in first["recipe"]] for key in evidence.study.search.space}
    return first[CELL].assign(**values)


def unfinished(evidence: Evidence) -> pd.DataFrame:
    """The runs that failed or were not made, and why."""
    return evidence.runs[evidence.runs["state"] != "done"][[*CELL, "seed", "state", "reason"]]


def _scores(cases: pd.DataFrame) -> dict[str, Any]:
    table = grid(cases)
    seeds, subjects = table.shape
    low, high = map(float, bootstrap(table.to_numpy())) if min(seeds, subjects) > 1 else (math.nan, math.nan)
    scores: dict[str, Any] = {"seeds": seeds, "cases": cases["case"].nunique(), "low": low, "high": high}
    by_seed = cases.groupby(["seed", "subject"])[list(METRICS)].mean().groupby("seed").mean()
    for metric in METRICS:
        scores |= {metric: by_seed[metric].mean(), f"{metric}_sd": by_seed[metric].std()}
    return scores


def _decisions(heads: pd.DataFrame) -> Iterator[tuple[str, str, str, str, str]]:
    for row in rows(heads[heads["chosen"]] if len(heads) else heads):
        yield row.dataset, row.encoder, row.model, row.output, "confirmed" if row.confirmed else "not confirmed"


def _by_seed(cases: pd.DataFrame, split: str) -> pd.DataFrame:
    """Mean and s.d. over seeds of each output's IoU on a split, in the columns ``split`` and ``split_sd``."""
    key = [*CELL, "output"]
    subjects = cases[cases["split"] == split].groupby([*key, "seed", "subject"], sort=False)["iou"].mean()
    seeds = subjects.groupby([*key, "seed"], sort=False).mean()
    both = seeds.groupby(key, sort=False).agg(["mean", "std"]).reset_index()
    return both.rename(columns={"mean": split, "std": f"{split}_sd"})
