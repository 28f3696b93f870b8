"""Claims of studies that make several at once: pruned heads, ranks over data sets, and all that one study can say."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from worlds import Array, World, couples, pairs

from nestbench.report.statistics.classical import holm
from nestbench.report.statistics.comparisons import MARGIN
from nestbench.report.statistics.crossed import LEVEL, Moments, judge, moments, p_above, p_within
from nestbench.report.statistics.pruning import confirmation, sequence
from nestbench.report.statistics.ranks import ranks

DATASETS = 5

Heads = dict[str, tuple[World, list[str]]]
"""Of validation and test: the world of heads' differences to the deepest, and the network of each."""


def verdicts(found: Moments) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which comparisons (.., pairs) find a member better, and which find two equivalent."""
    same = holm(p_within(found, MARGIN)) < LEVEL
    return (holm(judge(found).p) < LEVEL) & ~same, same


def any_of(claimed: NDArray[np.bool_]) -> float:
    """Share in percent of studies (studies, claims) that make any."""
    return 100 * float(claimed.any(axis=1).mean())


def pruned(worlds: Heads, seeds: int, studies: int) -> tuple[float, float]:
    """Shares of studies in percent in which a head that is worse by the margin is confirmed as not inferior.

    The second is what it would be if validation always chose one.
    """
    numbers = pd.factorize(np.array(worlds["test"][1]))[0]
    p = _tested(worlds, np.random.default_rng(seeds), seeds, studies)
    chosen = _chosen(p["validation"], numbers)
    first = np.zeros_like(chosen)
    first[:, [int(np.flatnonzero(numbers == number)[0]) for number in range(numbers.max() + 1)]] = True
    always, both = (any_of(confirmation(p["test"], which, numbers) < LEVEL) for which in (first, chosen))
    return both, always


def told_apart(world: World, seeds: int, cases: int, studies: int) -> float:
    """Share of studies in percent, of several data sets and without a difference, in which ranks tell two apart."""
    random, told = np.random.default_rng(seeds), 0
    for _ in range(studies):
        told += _ranked_apart(world.draw(random, (DATASETS, seeds), cases), range(world.members))
    return 100 * told / studies


def joint(world: World, heads: Heads, seeds: int, cases: int, studies: int) -> dict[str, float]:
    """Shares of studies in percent that claim what is false: of each kind, and of any kind at all.

    A study has several data sets. Half of its members are worse by exactly the margin, everywhere, and so is each head
    that could be pruned to: every claim is on its edge. False is that a member is better than one of its own half, or a
    worse one than a better one; that two of different halves are equivalent; that a head is not inferior; that ranks
    tell two of one half apart.
    """
    random, half = np.random.default_rng((seeds, cases)), world.members // 2
    sides = np.array([(a < half) != (b < half) for a, b in couples(np.empty((world.members, 1, 1)))])
    numbers = pd.factorize(np.array(heads["test"][1]))[0] if heads else np.array([0])
    every = np.concatenate([numbers + place * (numbers.max() + 1) for place in range(DATASETS)])
    rows = []
    for _ in range(studies):
        tables = world.draw(random, (DATASETS, seeds), cases)
        tables[:, :half] -= MARGIN
        found = moments(pairs(tables))
        better, same = (claim.reshape(found.mean.shape) for claim in verdicts(Moments(*(v.ravel() for v in found))))
        wrong = better & np.where(sides, found.mean < 0, True)
        kinds = [wrong.any(), (same & sides).any()]
        if heads:
            p = _tested(heads, random, seeds, DATASETS)
            each = _chosen(p["validation"], numbers).ravel()
            kinds.append((confirmation(p["test"].ravel(), each, every) < LEVEL).any())
        kinds += [_ranked_apart(tables, range(half)) or _ranked_apart(tables, range(half, world.members))]
        rows.append([*kinds, any(kinds)])
    names = ("difference", "equivalence", *(["pruning"] if heads else []), "ranks", "any")
    return dict(zip(names, map(float, 100 * np.mean(rows, axis=0)), strict=True))


def _ranked_apart(tables: Array, group: range) -> bool:
    """Whether ranks over data sets tell two members of a group apart; ``tables`` is (datasets, members, seeds, cases).

    All members are ranked.
    """
    datasets, members = tables.shape[:2]
    names = [str(member) for member in range(members)]
    place = {"dataset": np.repeat(range(datasets), members), "model": names * datasets}
    found = ranks(
        pd.DataFrame(place | {"iou": tables.mean(axis=(-2, -1)).ravel()}).assign(encoder="e", seed=0, subject=0)
    )
    letters = found.set_index("model")["group"]
    return any(not set(letters[names[a]]) & set(letters[names[b]]) for a in group for b in group)


def _tested(worlds: Heads, random: np.random.Generator, seeds: int, studies: int) -> dict[str, Array]:
    """On each side, the p (studies, heads) of heads that are worse by the margin being less than that.

    Trained networks are the same on both sides, cases are not.
    """
    networks = random.standard_normal((studies, len(worlds["test"][1]), seeds, 1))
    p = {}
    for split, (world, _) in worlds.items():
        parts = [_gaps(world, random, own) for own in networks]
        found = Moments(*map(np.concatenate, zip(*parts, strict=True)))
        p[split] = p_above(found, -MARGIN).reshape(studies, -1)
    return p


def _chosen(p: Array, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The heads that validation chooses: (studies, heads)."""
    chosen = np.zeros_like(p, dtype=bool)
    for number in range(numbers.max() + 1):
        group = np.flatnonzero(numbers == number)
        chosen[:, group] = [sequence(row) for row in p[:, group]]
    return chosen


def _gaps(world: World, random: np.random.Generator, networks: Array) -> Moments:
    """Moments of heads' differences to the deepest, which share the cases and lie at minus the margin.

    ``networks`` (heads, seeds, 1) is what training gave each, in standard deviations: the same on either split.
    """
    (count, seeds, _), cases = networks.shape, len(world.level)
    real = random.integers(0, cases, cases)
    noise = random.normal(0, (2 * world.gain) ** 0.5, (count, 1, cases))
    noise = noise + random.normal(0, (2 * world.rest) ** 0.5, (count, seeds, cases))
    return moments((2 * world.network) ** 0.5 * networks + world.spread[real] * noise - MARGIN)
