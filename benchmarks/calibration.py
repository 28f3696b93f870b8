"""Do the report's claims hold what they promise? Whole studies are simulated, and judged as the report judges them.

    python benchmarks/calibration.py [--results results/nuclei] [--studies 2000] [--seeds 2 3 5 10] [--cases 20]

The variances are those of real results: of networks (each seed's training of a member), of a member's gain on a case,
and of the rest, from the mean squares of all differences between two members. A simulated case is one of the real test
cases, drawn at random: it keeps its mean IoU and how much networks disagree about it, so hard cases are as rare and as
wild as they are. A study has as many members as the real one.

`any difference` is the share of studies without a difference in which the report calls any member better; `t-test` and
`Wilcoxon` are what the tests that decide nothing would have claimed, corrected in the same way. `equivalent` is the
share of studies in which any two members that differ by exactly the margin are called equivalent; `pruned` the share in
which any head that is worse by exactly the margin is confirmed as not inferior, and `on test alone` the same where
validation is too kind and always chooses one; trained seeds are the same on both sides of the split, cases are not.
`rank 1` is the share of studies without a difference in which any member is first in over 95 % of the draws, `of two`
the same of studies of two members: that is no test and promises nothing. `ranks` is the share of studies with five data
sets and no difference in which any two members are told apart. Each but these two is at most 5 % if all is well. Power
is the share of comparisons with a member that is better than all others by so many IoU points in which it is called
better; `best` that in which it is called better than every other. Coverage is that of the 95 % intervals of differences
and, bootstrapped, of means.

The last table has studies of five data sets in which every claim is on its edge: half of the members are worse than the
others by exactly the margin, and so is each head that could be pruned to. It counts the studies with a false claim of
each kind, which is at most 5 %, and with any false claim at all, which nobody promises.

A report decides nothing from two seeds: their rows are what its tests would say.
"""

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from asked import answer, bare, count, folder
from numpy.typing import NDArray
from scipy import stats
from several import any_of, joint, pruned, told_apart, verdicts
from worlds import Array, World, couples, estimate, head_worlds, pairs, primaries, real_tables

from nestbench.report.statistics.classical import holm
from nestbench.report.statistics.comparisons import BETTER, MARGIN, OPEN, compare_members, correct, equivalent
from nestbench.report.statistics.crossed import FEWEST_SEEDS, LEVEL, Moments, judge, moments
from nestbench.report.statistics.resampling import bootstrap, shares_of_first

AT_ONCE = 50
"""Studies that are held in memory together."""
CHECKED = 5
"""Studies of each setting that go through the report's own tables too, which must say the same."""
PLANTED = (1, 2, 3)
"""IoU points."""


@dataclass(frozen=True)
class Setting:
    """Simulated studies of one size, all without a difference; one that is planted shifts their means."""

    found: Moments
    """Of (studies, pairs)."""
    couples: list[tuple[int, int]]
    p_test: Array
    """(studies, pairs) of the independent t-test over seeds."""
    p_wilcoxon: Array
    covered: NDArray[np.bool_]
    """Whether the bootstrapped interval of a member's mean holds the true one: (studies, members)."""
    first: Array
    """How often the leader is first when both are drawn again, of all members and of two: (studies, 2)."""


def simulate(world: World, seeds: int, cases: int, studies: int) -> Setting:
    """Draw and test studies."""
    random = np.random.default_rng((seeds, cases))
    parts = []
    for start in range(0, studies, AT_ONCE):
        tables = world.draw(random, (min(AT_ONCE, studies - start), seeds), cases)
        parts.append(_tested(tables, world, start))
    found, *others = zip(*parts, strict=True)
    return Setting(
        Moments(*map(np.concatenate, zip(*found, strict=True))),
        couples(tables),
        *map(np.concatenate, others),
    )


def _tested(tables: Array, world: World, start: int) -> tuple[Moments, Array, Array, NDArray[np.bool_], Array]:
    differences = pairs(tables)
    for study in tables[: max(CHECKED - start, 0)] if tables.shape[2] >= FEWEST_SEEDS else ():
        _agree(study)
    by_seed = tables.mean(axis=-1)
    sides = (np.stack([by_seed[:, place[i]] for place in couples(tables)], axis=1) for i in (0, 1))
    t_test = stats.ttest_ind(*sides, axis=-1).pvalue
    wilcoxon = stats.wilcoxon(differences.mean(axis=-2), axis=-1, method="asymptotic").pvalue
    low, high = bootstrap(tables)
    held = (low <= world.level.mean()) & (world.level.mean() <= high)
    return moments(differences), t_test, wilcoxon, held, np.array([_firsts(study) for study in tables])


def _firsts(study: Array) -> list[float]:
    return [float(shares_of_first(members).max()) for members in (study, study[:2])]


def _agree(study: Array) -> None:
    """Make sure that a study's tables, made as a report makes them, say what is said of its moments here."""
    members, seeds, cases = (axis.ravel() for axis in np.indices(study.shape))
    named = {"dataset": "d", "encoder": "e", "model": members.astype(str), "seed": seeds}
    long = pd.DataFrame(named | {"case": cases, "subject": cases, "iou": study.ravel()})
    (table,) = correct(compare_members(long))
    better, same = verdicts(moments(pairs(study)))
    expected = np.select([better, same], [BETTER, equivalent(MARGIN)], OPEN)
    if table["verdict"].tolist() != expected.tolist():
        raise RuntimeError("the report does not say what this script says that it does")


def planted(setting: Setting, gain: float, better: tuple[int, ...]) -> tuple[Moments, NDArray[np.bool_]]:
    """The studies, had these members gained so much; and which comparisons are between one of them and another."""
    signs = np.array([(b in better) - (a in better) for a, b in setting.couples])
    return setting.found._replace(mean=setting.found.mean + gain * signs), signs != 0


def claims(setting: Setting, members: int) -> dict[str, float]:
    """Shares of studies in percent, and of comparisons."""
    without = judge(setting.found)
    row = {"any difference": any_of(verdicts(setting.found)[0])}
    row |= {"t-test": any_of(holm(setting.p_test) < LEVEL), "Wilcoxon": any_of(holm(setting.p_wilcoxon) < LEVEL)}
    found, apart = planted(setting, MARGIN, tuple(range(members // 2)))
    row["equivalent"] = any_of(verdicts(found)[1][:, apart])
    row |= dict(zip(("rank 1", "of two"), 100 * np.mean(setting.first > 1 - LEVEL, axis=0), strict=True))
    row["coverage"] = 100 * float(np.mean((without.low <= 0) & (without.high >= 0)))
    row["of means"] = 100 * float(setting.covered.mean())
    for points in PLANTED:
        found, apart = planted(setting, points / 100, (0,))
        better = verdicts(found)[0][:, apart]
        row |= {f"power {points}": 100 * float(better.mean()), f"best {points}": 100 * float(better.all(axis=1).mean())}
    return row


def show(title: str, lines: Iterator[tuple[str, dict[str, float]]]) -> None:
    """Print a table."""
    print(f"\n{title}")
    for index, (name, row) in enumerate(lines):
        widths = [max(len(key), 5) for key in row]
        if index == 0:
            print(f"{'':24}" + "  ".join(f"{key:>{width}}" for key, width in zip(row, widths, strict=True)))
        values = (f"{value:>{width}.1f}" for value, width in zip(row.values(), widths, strict=True))
        print(f"{name:24}" + "  ".join(values), flush=True)


def main() -> None:
    parser = bare(__doc__)
    parser.add_argument("--results", type=folder, default=Path("results/nuclei"))
    parser.add_argument("--studies", type=count, default=2000)
    parser.add_argument("--seeds", type=count, nargs="+", default=(2, 3, 5, 10))
    parser.add_argument("--cases", type=count, default=20, help="a small test set, beside one as large as the real one")
    run(parser.parse_args())


def run(asked: Namespace) -> None:
    tables = primaries(real_tables(asked.results, "test"))
    world = estimate(tables, pairs(tables))
    every = len(world.level)
    deviations = (100 * value**0.5 for value in (world.network, world.gain, world.rest))
    print(f"{asked.studies} studies of {world.members} members and {every} cases each, as in {asked.results}. Standard")
    print("deviations in points: network {:.2f}, gain on a case {:.2f}, rest {:.2f}".format(*deviations), end="; ")
    wild = np.sort(world.spread**2)[-every // 20 :].sum() / every
    print(f"{100 * wild:.0f} % of the rest's variance lies in a twentieth of the cases")
    sizes = [(seeds, every) for seeds in asked.seeds] + [(3, asked.cases)]
    settings = ((size, simulate(world, *size, asked.studies)) for size in sizes)
    show("Shares in percent", ((f"{s} seeds, {c} cases", claims(one, world.members)) for (s, c), one in settings))
    worlds = head_worlds(asked.results)
    if worlds:
        both = ((s, pruned(worlds, s, asked.studies)) for s in asked.seeds)
        show("Pruning", ((f"{s} seeds", {"pruned": one, "on test alone": two}) for s, (one, two) in both))
    show("Ranks", ((f"{s} seeds", {"ranks": told_apart(world, s, every, asked.studies)}) for s in (3,)))
    together = ((f"{s} seeds", joint(world, worlds, s, every, asked.studies)) for s in asked.seeds)
    show("All claims of a study of five data sets", together)


if __name__ == "__main__":
    answer(main)
