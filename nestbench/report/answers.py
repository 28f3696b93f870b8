"""What the results answer, in sentences; nothing that the tests do not support."""

from typing import Any

import pandas as pd

from nestbench.report.frames import CELL, PANEL, groups, rows
from nestbench.report.names import listed, signed, significant, spread, title
from nestbench.report.statistics.comparisons import BETTER, OPEN, WORSE, verdicts

_COSTS = (("parameters", 1e6, "million parameters"), ("flops", 1e9, "GFLOPs"), ("memory", 2**20, "MiB"))
"""Columns of what a network takes, their scale and unit."""


def answers(main: pd.DataFrame, pairs: pd.DataFrame, depth: int, metric: str = "IoU") -> list[str]:
    """Which network to use, one paragraph a data set and encoder, by the column ``iou``, in which ``metric`` is."""
    return [_answer(panel, pairs, depth, metric) for _, panel in groups(main, PANEL)]


def pruning(heads: pd.DataFrame, outputs: pd.DataFrame, depth: int) -> list[str]:
    """How far each network with several heads may be pruned, a paragraph a data set and encoder.

    ``heads`` is what ``statistics.pruning.prunable`` found, ``outputs`` says what each depth costs.
    """
    if heads.empty:
        return []
    costs = dict(groups(outputs, CELL))
    said = []
    for (dataset, encoder), panel in groups(heads, PANEL):
        each = [_pruned(own, costs[dataset, encoder, model], depth) for model, own in groups(panel, "model")]
        said.append(f"On {dataset} with {encoder}: {'; '.join(each)}.")
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
    said = verdicts(pairs)
    words = {o.model: said[top.dataset, top.encoder, top.model, o.model] for o in others}
    level = [o for o in others if words[o.model] != BETTER]
    if not level:
        return f"{opening} It is better than every other network."
    order = sorted(set(words.values()), key=lambda word: (word != BETTER, word == OPEN, word))
    named = {word: [title(o.model, depth) for o in others if words[o.model] == word] for word in order}
    phrases = listed([_phrase(word, named[word], len(others)) for word in order])
    return f"{opening} It is {phrases} here. {_smallest([top, *level], words, depth)}"


def _phrase(word: str, names: list[str], others: int) -> str:
    """``not separable from U-Net and UNet+``; where it is said of all networks, without their names."""
    joint = {BETTER: "than", WORSE: "than", OPEN: "from"}.get(word, "to")
    return f"{word} {joint} {'any other network' if len(names) == others else listed(names)}"


def _why_not(pairs: pd.DataFrame, top: Any) -> str:
    here = pairs[(pairs["dataset"] == top.dataset) & (pairs["encoder"] == top.encoder)]
    return str(here["reason"].iloc[0]) if here["p"].isna().all() else ""


def _smallest(level: list[Any], words: dict[str, str], depth: int) -> str:
    top, row = level[0], min(level, key=lambda one: one.parameters)
    size = f"{significant(row.parameters, 1e6)} million parameters"
    if row is top:
        return f"None of these is smaller than it ({size})."
    proof = "; not separable is no proof that it is as good" if words[row.model] == OPEN else ""
    return f"The smallest of these is {title(row.model, depth)} ({size}){proof}."


def _pruned(heads: pd.DataFrame, outputs: pd.DataFrame, depth: int) -> str:
    """What is decided for one network."""
    name, deepest = title(heads["model"].iloc[0], depth), heads["deepest"].iloc[0]
    if heads["p_validation"].isna().all():
        return f"for {name} there is no test (fewer than three seeds, or two subjects): it stays at {deepest}"
    chosen = heads[heads["chosen"]]
    if chosen.empty:
        return f"for {name} validation shows no shallower head to be not inferior: it stays at {deepest}"
    row = next(rows(chosen))
    low = f"{signed(row.test)} points on the test cases, at least {signed(row.test_low)}"
    if not row.confirmed:
        chosen_in_vain = f"validation chooses {row.output}, and the test cases do not confirm it ({low})"
        return f"for {name} {chosen_in_vain}: it stays at {deepest}"
    return f"{name} may be pruned to {row.output} ({low}){_saved(outputs, row.output, deepest)}"


def _saved(outputs: pd.DataFrame, output: str, deepest: str) -> str:
    """What the pruned network takes of the deepest one's size and, on each device, time; '' where none was measured."""
    small, large = (outputs[outputs["output"] == name].reset_index(drop=True) for name in (output, deepest))
    known = [(*cost, small[cost[0]].iloc[0], large[cost[0]].iloc[0]) for cost in _COSTS if cost[0] in outputs]
    said = [_of(a, b, scale, unit) for _, scale, unit, a, b in known if pd.notna(a)]
    timed = small["device"].notna() & small["median_ms"].notna()
    said += [
        f"{_of(a.median_ms, b.median_ms, 1, 'ms')} on {a.device}"
        for a, b in zip(rows(small[timed]), rows(large[timed]), strict=True)
    ]
    return f" and takes {listed(said)}" if said else ""


def _of(part: float, whole: float, scale: float, unit: str) -> str:
    return f"{significant(part, scale)} of {significant(whole, scale)} {unit}"
