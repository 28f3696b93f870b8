"""Where the members differ: case by case, and by the size of what is to be found."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from nestbench.report.frames import CELL, PANEL, first, groups
from nestbench.report.gather import Evidence
from nestbench.report.statistics.comparisons import grid
from nestbench.report.statistics.crossed import interval, moments

BUCKETS, LEAST = 5, 5
"""Groups of cases of about the same number by size of their objects, at most, and the fewest cases of a group."""

NO_OBJECT = "no object"


def case_gains(evidence: Evidence) -> pd.DataFrame:
    """Difference of test IoU to the panel's reference member: a row for each member, seed and case that both have.

    ``diameter`` is the median of the case's objects in pixels, NaN where it has none or sizes were not kept.
    """
    tables = [_against_reference(panel) for _, panel in groups(evidence.primary_cases, PANEL)]
    gains = pd.concat(tables, ignore_index=True)
    return gains.merge(evidence.sizes, on=["dataset", "case"], how="left")


def mean_gains(gains: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds of each case's difference."""
    key = [*CELL, "reference", "case", "subject", "diameter"]
    return gains.groupby(key, sort=False, as_index=False, dropna=False).agg(difference=("difference", "mean"))


def gains_by_size(gains: pd.DataFrame) -> pd.DataFrame:
    """Mean difference in each group of cases by size, with its 95 % interval over seeds and subjects.

    Empty where the sizes of objects were not kept, or the cases are too few for two groups.
    """
    rows = []
    for dataset, own in groups(gains, "dataset"):
        labels = _buckets(own)
        for label in labels.categories if labels is not None else ():
            for key, cell in groups(own[np.asarray(labels == label)], [*CELL, "reference"]):
                named = dict(zip([*CELL, "reference"], key, strict=True))
                rows.append(named | {"dataset": dataset, "size": label} | _mean(cell))
    return pd.DataFrame(rows, columns=[*CELL, "reference", "size", "cases", "difference", "low", "high"])


def _against_reference(panel: pd.DataFrame) -> pd.DataFrame:
    names = first(panel, "model")
    reference = "unet" if "unet" in names else names[0]
    base = panel.loc[panel["model"] == reference, ["seed", "case", "iou"]].rename(columns={"iou": "base"})
    both = panel[panel["model"] != reference].merge(base, on=["seed", "case"])
    both = both.assign(difference=both["iou"] - both["base"], reference=reference)
    return both[[*CELL, "reference", "seed", "subject", "case", "difference"]]


def _buckets(gains: pd.DataFrame) -> "pd.Categorical[str] | None":
    """Label of each row by its case's diameter, in order; None where sizes say nothing."""
    known = gains.drop_duplicates("case")["diameter"].dropna()
    count = min(BUCKETS, len(known) // LEAST)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, count + 1))) if count > 1 else np.array([])
    if len(edges) < 3:
        return None
    labels = [f"{low:.0f} to {high:.0f}" for low, high in pairwise(edges)]
    if len(set(labels)) < len(labels):
        labels = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]
    # The last edge belongs to the last group.
    place = np.searchsorted(edges[1:-1], gains["diameter"].fillna(0).to_numpy(), side="right")
    codes = np.where(gains["diameter"].isna(), len(labels), place).astype(np.int64)
    return pd.Categorical.from_codes(codes, pd.Index([*labels, NO_OBJECT]))


def _mean(cell: pd.DataFrame) -> dict[str, Any]:
    table = grid(cell, "difference").dropna(axis="columns")
    low, high = map(float, interval(moments(table.to_numpy())))
    return {"cases": cell["case"].nunique(), "difference": float(table.to_numpy().mean()), "low": low, "high": high}
