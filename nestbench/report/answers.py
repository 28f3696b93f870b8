"""What the results answer, in sentences; nothing that the tests do not support."""

from typing import Any

import pandas as pd

from nestbench.report.frames import CELL, PANEL, groups, rows
from nestbench.report.names import listed, signed, significant, spread, title
from nestbench.report.statistics import verdict

TOLERANCE = 0.005
"""Validation IoU that pruning may cost where the report names a depth."""


def answers(main: pd.DataFrame, pairs: pd.DataFrame, depth: int, metric: str = "IoU") -> list[str]:
    """Which network to use, one paragraph a data set and encoder, by the column ``iou``, in which ``metric`` is."""
    return [_answer(panel, pairs, depth, metric) for _, panel in groups(main, PANEL)]


def pruning(outputs: pd.DataFrame, depth: int) -> list[str]:
    """How far each deeply supervised member can be pruned: the shallowest head within TOLERANCE of the ensemble.

    The depth is chosen on the validation cases; what it costs, and whether that is real, is told on the test cases.
    """
    deep = outputs.drop_duplicates([*CELL, "output"])
    said = []
    for (dataset, encoder), panel in groups(deep, PANEL):
        chosen = [one for model, own in groups(panel, "model") if (one := _pruned(model, own, depth))]
        if chosen:
            said.append(f"On {dataset} with {encoder}: {'; '.join(chosen)}.")
    return said


def whole(outputs: pd.DataFrame, depth: int) -> list[str]:
    """Which networks cannot be pruned, in a sentence, where there are any."""
    heads = outputs.drop_duplicates(["model", "output"]).groupby("model", sort=False).size()
    names = [title(str(model), depth) for model, count in heads.items() if count == 1]
    have, they = ("has", "it") if len(names) == 1 else ("have", "they")
    return [f"{listed(names)} {have} one head: {they} cannot be pruned."] if names else []


def _answer(panel: pd.DataFrame, pairs: pd.DataFrame, depth: int, metric: str) -> str:
    top, *others = rows(panel.sort_values("iou", ascending=False))
    opening = f"On {top.dataset} with {top.encoder}, {title(top.model, depth)}"
    score = f"{spread(top.iou, top.iou_sd)} points of test {metric}"
    if not others:
        return f"{opening} is the only network with a finished run ({score}): there is nothing to compare it with."
    opening = f"{opening} has the highest mean, {score}."
    reason = _why_not(pairs, top)
    if reason:
        return f"{opening} The networks are not separable here: {reason}."
    words = [verdict(pairs, top.dataset, top.encoder, top.model, other.model) for other in others]
    beaten = [title(o.model, depth) for o, word in zip(others, words, strict=True) if word == "better"]
    level = [o for o, word in zip(others, words, strict=True) if word != "better"]
    if not level:
        return f"{opening} It is better than every other network."
    ranking = f"It is better than {listed(beaten)}, but" if beaten else "It is"
    rest = listed([title(o.model, depth) for o in level]) if beaten else "any other network"
    return f"{opening} {ranking} not separable from {rest} here. {_smallest([top, *level], depth)}"


def _why_not(pairs: pd.DataFrame, top: Any) -> str:
    here = pairs[(pairs["dataset"] == top.dataset) & (pairs["encoder"] == top.encoder)]
    return str(here["reason"].iloc[0]) if here["p"].isna().all() else ""


def _smallest(level: list[Any], depth: int) -> str:
    row = min(level, key=lambda one: one.parameters)
    size = f"{significant(row.parameters, 1e6)} million parameters"
    if row is level[0]:
        return f"None of these is smaller than it ({size})."
    name = title(row.model, depth)
    return f"The smallest of these is {name} ({size}); not separable is no proof that it is as good."


def _pruned(model: str, outputs: pd.DataFrame, depth: int) -> str:
    by_name = {row.output: row for row in rows(outputs)}
    whole = by_name.pop("ensemble", None)
    kept = [row for row in by_name.values() if whole and row.validation >= whole.validation - TOLERANCE]
    if not kept:
        return ""
    head = kept[0]
    share = 100 * head.parameters / whole.parameters
    size = f" with {share:.0f} % of its parameters" if share > 0 else ""
    cost = f"test IoU {signed(head.test - whole.test)} points, {head.verdict}"
    return f"{title(model, depth)} to {head.output}{size} ({cost})"
