"""How often an interval of few seeds holds the truth, by how its critical value weighs the seeds.

    python benchmarks/weights.py [--results results/nuclei] [--studies 1000] [--seeds 3] [--cases 20]

Studies without a difference are drawn as ``calibration.py`` draws them, from worlds that differ in one thing: how much
networks vary by themselves, as a multiple of what the results show. Three ways are held against one another, all with
the same mean squares:

    ours        the seeds are weighted by the whole of their mean square (``report/statistics/crossed.py``)
    freedom     Satterthwaite's degrees of freedom
    components  the seeds are weighted by what they vary beyond the rest, and the rest has a weight of its own

Printed are the shares in percent of 95 % intervals that hold the truth, and of false findings at .05 over the number of
comparisons, which is Holm's first step, in multiples of what that promises.

The last table is of bootstrapped intervals of means: how often they hold the truth in test sets that happen to hold so
many of the hardest twentieth of all cases.
"""

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
from asked import answer, bare, count, folder
from scipy.special import stdtrit
from worlds import Array, World, estimate, pairs, primaries, real_tables

from nestbench.report.statistics.crossed import LEVEL, Moments, interval, moments
from nestbench.report.statistics.resampling import bootstrap

TIMES = (0, 1, 5, 20)
AT_ONCE = 50


def ours(found: Moments, level: float) -> Array:
    """The reach of an interval on either side, here and in the other two."""
    low, high = interval(found, level)
    return (high - low) / 2


def freedom(found: Moments, level: float) -> Array:
    few, many = found.seeds - 1, found.subjects - 1
    total = np.maximum(found.seed + found.subject - found.rest, np.maximum(found.seed, found.subject))
    parts = found.seed**2 / few + found.subject**2 / many + found.rest**2 / (few * many)
    own = np.maximum((found.seed + found.subject - found.rest) ** 2 / parts, np.minimum(few, many))
    return -stdtrit(own, level / 2) * np.sqrt(total / (found.seeds * found.subjects))


def components(found: Moments, level: float) -> Array:
    few, many = found.seeds - 1, found.subjects - 1
    parts = np.maximum(found.seed - found.rest, 0), np.maximum(found.subject - found.rest, 0), found.rest
    quantiles = (-stdtrit(own, level / 2) for own in (few, many, few * many))
    total = sum(parts)
    critical = sum(part * quantile for part, quantile in zip(parts, quantiles, strict=True)) / total
    return np.asarray(critical * np.sqrt(total / (found.seeds * found.subjects)))


WAYS = {"ours": ours, "freedom": freedom, "components": components}


def drawn(world: World, seeds: int, cases: int, studies: int) -> Moments:
    """Moments (studies, pairs) of studies without a difference."""
    random = np.random.default_rng((seeds, cases))
    parts = [moments(pairs(world.draw(random, (AT_ONCE, seeds), cases))) for _ in range(-(-studies // AT_ONCE))]
    return Moments(*map(np.concatenate, zip(*parts, strict=True)))


def by_hard_cases(world: World, seeds: int, cases: int, studies: int) -> dict[str, list[bool]]:
    """Whether the interval of each member's mean holds the true one, by the number of hard cases in the test set."""
    random, hard = np.random.default_rng((seeds, cases)), np.quantile(world.level, 0.05)
    held: dict[str, list[bool]] = {"none": [], "one": [], "more": []}
    for _ in range(-(-studies // AT_ONCE)):
        tables = world.draw(random, (AT_ONCE, seeds), cases)
        low, high = bootstrap(tables)
        counts = (tables.mean(axis=(1, 2)) <= hard).sum(axis=-1)
        for count_, inside in zip(counts, (low <= world.level.mean()) & (world.level.mean() <= high), strict=True):
            held[("none", "one", "more")[min(count_, 2)]] += inside.tolist()
    return held


def main() -> None:
    parser = bare(__doc__)
    parser.add_argument("--results", type=folder, default=Path("results/nuclei"))
    parser.add_argument("--studies", type=count, default=1000)
    parser.add_argument("--seeds", type=count, default=3)
    parser.add_argument("--cases", type=count, default=20)
    run(parser.parse_args())


def run(asked: Namespace) -> None:
    tables = primaries(real_tables(asked.results, "test"))
    world = estimate(tables, pairs(tables))
    print(f"{asked.seeds} seeds; 95 % intervals that hold the truth, and false findings at Holm's first step\n")
    print(f"{'cases':>5}  {'networks vary':>14}  " + "  ".join(f"{way:>18}" for way in WAYS))
    for cases in (asked.cases, len(world.level)):
        for times in TIMES:
            found = drawn(replace(world, network=times * world.network), asked.seeds, cases, asked.studies)
            first = LEVEL / found.mean.shape[-1]
            said = []
            for way in WAYS.values():
                held, wrong = (np.abs(found.mean) <= way(found, level) for level in (LEVEL, first))
                said.append(f"{100 * held.mean():8.1f} {np.mean(~wrong) / first:7.1f} x")
            print(f"{cases:>5}  {times:>12} x  " + "  ".join(f"{words:>18}" for words in said), flush=True)
    print(f"\nIntervals of means with {asked.seeds} seeds and {asked.cases} cases\n\nhard cases  of studies   held")
    held = by_hard_cases(world, asked.seeds, asked.cases, asked.studies)
    every = sum(map(len, held.values()))
    for name, inside in held.items():
        print(f"{name:>10}  {100 * len(inside) / every:>8.0f} %  {100 * np.mean(inside):>5.1f}")


if __name__ == "__main__":
    answer(main)
