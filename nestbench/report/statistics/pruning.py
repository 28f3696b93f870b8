"""How far a network with several heads may be pruned: chosen on validation, confirmed on test.

The claim is that a head is not inferior to the deepest one: that its mean IoU lies less than a margin below. On the
validation cases it is tested from the second deepest head upwards until it fails, which needs no correction (each depth
is tried only once all deeper ones have passed). The depth that this chooses is tested once on the test cases. These
had no part in choosing it, but the trained seeds had: a lucky set of them passes both sides. So Holm's method corrects
over all networks with several heads, whether or not validation chose a depth for them.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nestbench.report.frames import CELL, first, groups
from nestbench.report.statistics.classical import holm
from nestbench.report.statistics.comparisons import MARGIN, grid
from nestbench.report.statistics.crossed import LEVEL, Array, decisive, lowest, moments, p_above, stacked

_SIDES = ("validation", "test")


def prunable(cases: pd.DataFrame, margin: float = MARGIN) -> pd.DataFrame:
    """One row for each head but the deepest of each network that has several, the shallowest first.

    ``cases`` has one row per cell, seed, split, case and output. The columns, after those that name the cell:

    ``output``, ``deepest``: the head, and the one that it is held against; ``seeds``, ``subjects`` (of the test);
    ``validation``, ``validation_low``, ``p_validation``: difference of IoU (head minus deepest, 0 to 1), its one-sided
    95 % lower bound, and the p of its lying above minus ``margin``; ``test``, ``test_low``, ``p_test``: the same on the
    test cases; ``chosen``: whether validation chose this depth; ``p_test_holm``: corrected, where it did;
    ``confirmed``: whether the test cases say the same. p is NaN with fewer than three seeds or two subjects.
    """
    table = pd.DataFrame([row for key, own in groups(cases, CELL) for row in _heads(key, own)])
    if table.empty:
        return table
    for side in _SIDES:
        found = stacked(table.pop(f"{side}_moments").tolist())
        table = table.assign(
            **{side: found.mean, f"{side}_low": lowest(found), f"p_{side}": decisive(p_above(found, -margin), found)},
            seeds=found.seeds.astype(int),
            subjects=found.subjects.astype(int),
        )
    validation = table.groupby(CELL, sort=False)["p_validation"]
    table["chosen"] = validation.transform(lambda p: sequence(p.to_numpy())).astype(bool)
    networks = np.asarray(table.groupby(CELL, sort=False).ngroup(), dtype=np.int64)
    corrected = confirmation(table["p_test"].to_numpy(), table["chosen"].to_numpy(), networks)
    return table.assign(p_test_holm=corrected, confirmed=corrected < LEVEL)


def _heads(key: tuple[str, ...], cases: pd.DataFrame) -> Iterator[dict[str, object]]:
    outputs = sorted((o for o in first(cases, "output") if o != "ensemble"), key=lambda name: int(name[1:]))
    grids = {key: grid(own) for key, own in groups(cases, ["split", "output"])}
    for output in outputs[:-1]:
        row: dict[str, object] = {**dict(zip(CELL, key, strict=True)), "output": output, "deepest": outputs[-1]}
        for side in _SIDES:
            differences = (grids[side, output] - grids[side, outputs[-1]]).dropna(how="all").dropna(axis="columns")
            row[f"{side}_moments"] = moments(differences.to_numpy())
        yield row


def sequence(p: Array) -> NDArray[np.bool_]:
    """Which of a network's heads is chosen: the shallowest that passes, all deeper ones having passed; or none.

    ``p`` is that of each head but the deepest, the shallowest first.
    """
    passed = (p < LEVEL)[::-1].cumprod()[::-1].astype(bool)
    chosen: NDArray[np.bool_] = passed & (np.cumsum(passed) == 1)
    return chosen


def confirmation(p: Array, chosen: NDArray[np.bool_], networks: NDArray[np.int64]) -> Array:
    """The p of the chosen heads on the test cases (..., heads), by Holm's method over all networks; NaN for the others.

    ``networks`` has the number of each head's network, from 0; of one that chose no head p is 1.
    """
    tested = chosen & ~np.isnan(p)
    entered = np.where(tested, p, 1.0)
    each = [entered[..., networks == number].min(axis=-1) for number in range(networks.max() + 1)]
    return np.where(tested, holm(np.stack(each, axis=-1))[..., networks], np.nan)


def best_seed(cases: pd.DataFrame, cell: tuple[str, str, str], output: str) -> int:
    """The seed of a cell whose output has the highest mean IoU on the validation cases; of equal ones the first."""
    here = np.logical_and.reduce([cases[name] == word for name, word in zip(CELL, cell, strict=True)])
    own = grid(cases[here & (cases["output"] == output) & (cases["split"] == "validation")])
    return int(own.index[int(own.mean(axis="columns").to_numpy().argmax())])
