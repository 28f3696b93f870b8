"""Comparisons of networks, tables to tables: which differences are real, which are too small to matter.

Beside the test that decides (``crossed``) stand those that readers know: the papers' independent t-test over seeds, and
Wilcoxon's over subjects. Each forgets one of the two things that vary, so they decide nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations, permutations
from typing import Any

import numpy as np
import pandas as pd

from nestbench.report.frames import PANEL, groups, rows
from nestbench.report.statistics.classical import holm, papers_test, wilcoxon
from nestbench.report.statistics.crossed import (
    FEWEST_SEEDS,
    LEVEL,
    Moments,
    decisive,
    judge,
    moments,
    p_within,
    stacked,
)
from nestbench.topology import MEMBERS, parse, topology

MARGIN = 0.005
"""IoU within which two networks count as equivalent, and one that is pruned as not inferior, unless a study says."""

BETTER, WORSE, OPEN = "better", "worse", "not separable"
"""What a test can say; ``WORSE`` is ``BETTER`` seen from the other side, and no row of a table says it."""

TESTS = ("p", "p_equivalent", "p_paper", "p_wilcoxon")
"""Columns of tests; each has one beside it, ``_holm``, that is corrected."""

_MOMENTS = ["mean", "seed", "subject", "rest"]
"""Columns that rows have until they are corrected."""

_NOTHING = Moments(*map(np.array, [np.nan] * 4 + [0.0] * 2))

Pair = tuple[dict[str, object], pd.DataFrame, pd.DataFrame]
"""What names a comparison, and the tables (seeds, subjects) of its two sides."""


def grid(scores: pd.DataFrame, metric: str = "iou") -> pd.DataFrame:
    """Scores of one member as a table of seeds by subjects, a subject's cases averaged first.

    What pandas' pivot_table gives, a dozen times as fast: a large report has thousands of these.
    """
    (row, seeds), (column, subjects) = (pd.factorize(scores[name], sort=True) for name in ("seed", "subject"))
    shape = len(seeds), len(subjects)
    place = np.ravel_multi_index((row, column), shape)
    count, total = (np.bincount(place, weights, np.prod(shape)) for weights in (None, scores[metric].to_numpy()))
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(shape)
    return pd.DataFrame(mean, pd.Index(seeds, name="seed"), pd.Index(subjects, name="subject"))


def compare_members(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare every two members of the same data set and encoder.

    ``scores`` has one row per cell, seed and case. ``difference`` is ``model`` minus ``against``, in IoU (0 to 1), on
    the seeds and subjects that both have, of the cases that all their runs have.
    """
    return _compared(_members(scores))


def compare_isolated(scores: pd.DataFrame, depth: int) -> pd.DataFrame:
    """Compare heads of deep networks with the same networks trained alone, where a study of this ``depth`` has both.

    ``scores`` has all outputs. The head L2 of ``unet++ds`` is held against the head L2 of ``unet++ds:2``, and against
    ``unet++:2``: pruned to their one head all three are the same grid. ``difference`` is embedded minus isolated.
    """
    return _compared(_isolated(scores, depth))


def correct(*tables: pd.DataFrame, margin: float = MARGIN) -> list[pd.DataFrame]:
    """Correct tables of comparisons together and say a verdict for each row.

    Holm's method runs over all comparisons of all the tables, for each test of TESTS by itself. Equivalence within
    ``margin`` (IoU, 0 to 1) is said first: what is surely too small to matter is no reason to choose. A row whose
    difference is surely negative is turned round, so that ``model`` is the better.
    """
    every = pd.concat(tables, ignore_index=True)
    if every.empty:
        return list(tables)
    found = Moments(*(every[name].to_numpy(np.float64) for name in Moments._fields))
    every = every.drop(columns=_MOMENTS).assign(p_equivalent=decisive(p_within(found, margin), found))
    for test in TESTS:
        every[f"{test}_holm"] = holm(every[test].to_numpy())
    columns = (every[name] for name in ("difference", "p_holm", "p_equivalent_holm"))
    words = [_said(d, p, same, margin) for d, p, same in zip(*columns, strict=True)]
    every = _turned(every.assign(verdict=words))
    ends = np.cumsum([len(table) for table in tables])
    return [every.iloc[end - len(table) : end].reset_index(drop=True) for end, table in zip(ends, tables, strict=True)]


def verdicts(comparisons: pd.DataFrame) -> Mapping[tuple[str, str, str, str], str]:
    """What the tests say by data set, encoder, member and the other one, whichever way round they were compared.

    Of two that were not compared, ``OPEN``.
    """
    said: dict[tuple[str, str, str, str], str] = defaultdict(lambda: OPEN)
    for row in rows(comparisons):
        panel = row.dataset, row.encoder
        said[*panel, row.model, row.against] = row.verdict
        said[*panel, row.against, row.model] = WORSE if row.verdict == BETTER else row.verdict
    return said


def equivalent(margin: float) -> str:
    """The verdict of networks that differ by less than ``margin`` (IoU, 0 to 1)."""
    return f"equivalent within {100 * margin:g} IoU"


def _members(scores: pd.DataFrame) -> Iterator[Pair]:
    for (dataset, encoder), panel in groups(scores, PANEL):
        own = dict(groups(panel, "model"))
        tables = {model: grid(rows) for model, rows in own.items()}
        cases = panel.groupby(["model", "seed"])["case"].nunique()
        uneven = cases.min() < cases.max()
        for against, model in combinations(own, 2):
            names = {"dataset": dataset, "encoder": encoder, "model": model, "against": against}
            yield names, *(_shared(own[model], own[against]) if uneven else (tables[model], tables[against]))


def _shared(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of the cases that every run of both sides has: a subject's means are to be over the same cases."""
    runs = first["seed"].nunique() + second["seed"].nunique()
    held = pd.concat([side.drop_duplicates(["seed", "case"])["case"] for side in (first, second)]).value_counts()
    kept = held.index[held == runs]
    return grid(first[first["case"].isin(kept)]), grid(second[second["case"].isin(kept)])


def _isolated(scores: pd.DataFrame, depth: int) -> Iterator[Pair]:
    for (dataset, encoder), panel in groups(scores, PANEL):
        tables = {key: grid(own) for key, own in groups(panel, ["model", "output"])}
        for ((model, output), whole), ((against, same), alone) in permutations(tables.items(), 2):
            if same == output != "ensemble" and is_alone(model, against, int(output[1:]), depth):
                names = {"dataset": dataset, "encoder": encoder, "model": model, "output": output}
                yield names | {"against": against}, whole, alone


def is_alone(model: str, alone: str, head: int, depth: int) -> bool:
    """Whether ``alone`` is as deep as the head, and the deeper network ``model`` pruned to that head is its grid.

    Both have a head of that depth.
    """
    if any(name.partition(":")[0] not in MEMBERS for name in (model, alone)):
        return False
    whole, own = topology(model, depth), topology(alone, depth)
    wide = [MEMBERS[parse(name, depth)[0]].wide for name in (model, alone)]
    return own.depth == head < whole.depth and wide[0] == wide[1] and whole.prune(head) == own.prune(head)


def _compared(pairs: Iterator[Pair]) -> pd.DataFrame:
    """One row a pair: what the tests need and say before any correction."""
    named, found = [], []
    for names, first, second in pairs:
        differences = (first - second).dropna(how="all").dropna(axis="columns")
        found.append(moments(differences.to_numpy()) if differences.size else _NOTHING)
        named.append(names | _beside(first, second, differences))
    if not named:
        return pd.DataFrame()
    every = stacked(found)
    judged = judge(every)
    judged = judged._replace(p=decisive(judged.p, every))
    return pd.DataFrame(named).assign(**judged._asdict(), **every._asdict()).pipe(_explained)


def _beside(first: pd.DataFrame, second: pd.DataFrame, differences: pd.DataFrame) -> dict[str, Any]:
    """The tests that do not decide."""
    sides = [table.mean(axis=1).to_numpy() for table in (first, second)]
    return {"p_paper": papers_test(*sides), "p_wilcoxon": wilcoxon(differences.mean().to_numpy())}


def _explained(compared: pd.DataFrame) -> pd.DataFrame:
    """Why there is no test, where there is none."""
    lacking = [compared["seeds"] < FEWEST_SEEDS, compared["subjects"] < 2]
    reason = np.select(lacking, [f"fewer than {what} in common" for what in ("three seeds", "two subjects")], "")
    return compared.assign(reason=reason).astype({"seeds": int, "subjects": int})


def _said(difference: float, p_holm: float, p_equivalent: float, margin: float) -> str:
    if p_equivalent < LEVEL:
        return equivalent(margin)
    if p_holm < LEVEL:
        return BETTER if difference > 0 else WORSE
    return OPEN


def _turned(compared: pd.DataFrame) -> pd.DataFrame:
    """Rows of the verdict ``WORSE`` seen from the other side."""
    other = compared.rename(columns={"model": "against", "against": "model", "low": "high", "high": "low"})
    numbers = {name: -other[name] for name in ("difference", "low", "high", "t")}
    other = other.assign(**numbers).assign(verdict=BETTER)
    lost = compared["verdict"] == WORSE
    return pd.concat([compared[~lost], other.loc[lost, compared.columns]]).sort_index()
