"""The numbers of a report on objects: stateless functions from the evidence to tables, in shares of 0 to 1."""

import math
from typing import Any

import pandas as pd

from nestbench.report.costs import costs
from nestbench.report.frames import CELL, PANEL, first, groups
from nestbench.report.gather import Evidence
from nestbench.report.instances.objects import Objects
from nestbench.report.instances.paper import printed, protocols
from nestbench.report.names import title
from nestbench.report.statistics.comparisons import BETTER, WORSE, compare_members, correct, grid, verdicts
from nestbench.report.statistics.resampling import bootstrap
from nestbench.report.tables import chosen, unfinished
from nestbench.results.instance_scores import METRICS, POOLED, SIZES, THRESHOLDS

WAY = [*CELL, "output"]
"""Columns that name a network and how its objects are told apart."""

SIZED = ("score", "found_50", "found_75", "best_iou", "best_dice")

HILLS = ("smooth", "apart")
CHOSEN = ("least", "threshold", *HILLS, "smallest")
"""What a run chooses on the validation side (``find.Way``), the hills for the watershed alone."""

Tables = dict[str, pd.DataFrame]


def make_tables(evidence: Evidence, objects: Objects) -> Tables:
    """Every table of a study by name; those that say nothing are left out."""
    judged = evidence.primary_cases
    pairs = compared(judged, evidence.study.margin / 100)
    main = members(evidence, objects, pairs)
    theirs = printed(evidence, main)
    made = {
        "members": main,
        "comparisons": pairs,
        "paper": theirs,
        "protocol": protocols(evidence, theirs) if len(theirs) else theirs,
        "thresholds": by_threshold(judged),
        "sizes": by_size(evidence, objects),
        "ways": ways(evidence),
        "speed": speed(evidence),
        "costs": costs(evidence),
        "search": chosen(evidence),
        "unfinished": unfinished(evidence),
    }
    return {name: table for name, table in made.items() if len(table)}


def compared(judged: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Every comparison of two networks by Score, corrected; ``margin`` (0 to 1) is of Score too."""
    pairs = correct(compare_members(judged.assign(iou=judged["score"])), margin=margin)[0]
    return pairs.assign(verdict=pairs["verdict"].str.replace("IoU", "Score")) if len(pairs) else pairs


def members(evidence: Evidence, objects: Objects, pairs: pd.DataFrame) -> pd.DataFrame:
    """The main table: a row per cell and output with its scores over seeds; ``primary`` is the one judged by.

    ``verdict`` and ``best`` are as in ``report.tables.members``, of Score, and of the primary outputs alone.
    """
    tested = evidence.cases[evidence.cases["split"] == "test"]
    rows, said = [], verdicts(pairs)
    for (dataset, encoder), panel in groups(tested, PANEL):
        names = first(panel, "model")
        reference = "unet" if "unet" in names else names[0]
        lost = f"{title(reference, evidence.study.depth)} {BETTER}"
        for (model, output), own in groups(panel, ["model", "output"]):
            primary = bool((own["primary"] == output).all())
            words = {n: said[dataset, encoder, model, n] for n in names if n != model and primary}
            word = words.get(reference, "")
            rows.append(
                {"dataset": dataset, "encoder": encoder, "model": model, "output": output, "primary": primary}
                | {**_scores(own), "reference": reference, "verdict": lost if word == WORSE else word}
                | {"best": bool(words) and set(words.values()) == {BETTER}}
            )
    sizes = evidence.done.groupby(CELL, sort=False, as_index=False)["parameters"].first()
    return pd.DataFrame(rows).merge(_spread(objects.pooled, WAY, list(POOLED)), on=WAY).merge(sizes, on=CELL)


def by_threshold(judged: pd.DataFrame) -> pd.DataFrame:
    """Mean and s.d. over seeds of TP / (TP + FP + FN) at each IoU threshold, a row per cell and threshold."""
    columns = {f"score_{percent}": percent for percent in THRESHOLDS}
    subjects = judged.groupby([*CELL, "seed", "subject"], sort=False)[list(columns)].mean()
    seeds = subjects.groupby([*CELL, "seed"], sort=False).mean().rename(columns=columns)
    long = seeds.reset_index().melt([*CELL, "seed"], var_name="threshold", value_name="score")
    return _spread(long, [*CELL, "threshold"], ["score"])


def by_size(evidence: Evidence, objects: Objects) -> pd.DataFrame:
    """Mean and s.d. over seeds by the size of the objects, for the output that a network is judged by."""
    primary = evidence.done[[*CELL, "seed", "primary"]]
    own = objects.sizes.merge(primary, on=[*CELL, "seed"])
    own = own[own["output"] == own["primary"]]
    true = own.groupby([*CELL, "size"], sort=False, as_index=False)["true"].max()
    table = _spread(own, [*CELL, "size"], list(SIZED)).merge(true, on=[*CELL, "size"])
    cells = [cell.sort_values("size", key=lambda sizes: sizes.map(SIZES.index)) for _, cell in groups(table, CELL)]
    return pd.concat(cells, ignore_index=True)


def ways(evidence: Evidence) -> pd.DataFrame:
    """What was chosen on the validation side (``Result.chosen``), a row per run and output; nan where it has no such.

    Connected components are cut at no hills, so nothing of those is said of them.
    """
    found = []
    for row in evidence.done.to_dict("records"):
        for output, way in row["chosen"].items():
            own = dict.fromkeys(HILLS, math.nan) if way.get("method") == "components" else {}
            found.append({name: row[name] for name in (*CELL, "seed")} | {"output": output} | way | own)
    columns = [*CELL, "output", "seed", *CHOSEN]
    return pd.DataFrame(found).reindex(columns=columns) if found else pd.DataFrame()


def speed(evidence: Evidence) -> pd.DataFrame:
    """Milliseconds an image of each cell and output, by device, as far as they were measured."""
    measured = evidence.speed.astype({"median_ms": float, "q25_ms": float, "q75_ms": float, "batch": float})
    per_image = {name: measured[name] / measured["batch"] for name in ("median_ms", "q25_ms", "q75_ms")}
    return measured[["device", *WAY]].assign(**per_image).reset_index(drop=True)


def _scores(cases: pd.DataFrame) -> dict[str, Any]:
    table = grid(cases, "score")
    seeds, subjects = table.shape
    low, high = bootstrap(table.to_numpy()) if min(seeds, subjects) > 1 else (math.nan, math.nan)
    scores: dict[str, Any] = {"seeds": seeds, "cases": cases["case"].nunique(), "low": low, "high": high}
    by_seed = cases.groupby(["seed", "subject"])[list(METRICS)].mean().groupby("seed").mean()
    for metric in METRICS:
        scores |= {metric: by_seed[metric].mean(), f"{metric}_sd": by_seed[metric].std()}
    return scores


def _spread(rows: pd.DataFrame, keys: list[str], metrics: list[str]) -> pd.DataFrame:
    """Mean of each metric over the rows of the same keys, one a seed, and its s.d. in ``metric_sd``."""
    grouped = rows.groupby(keys, sort=False)[metrics]
    return grouped.mean().join(grouped.std().add_suffix("_sd")).reset_index()
