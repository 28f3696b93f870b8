"""How the report decides, in words for its methods."""

from nestbench.report.names import MINUS, TIMES
from nestbench.report.statistics.ranks import FEWEST

_TESTS = (
    "Two networks are compared by the differences of their IoU on the same seeds and subjects (the cases of a subject "
    "are averaged first). Seeds and subjects are both random and crossed: t is the mean difference over the root of "
    f"(MS seed + MS subject {MINUS} MS rest) / (seeds {TIMES} subjects), where the sum is never taken below the larger "
    "of its first two terms, and its critical value is Cochran's weighted one. Two one-sided tests of the same kind "
    "ask whether a difference lies within {margin:g} IoU points. Each p is corrected by Holm's method over all "
    "comparisons of the study, heads against networks trained alone among them. Equivalent means that the two "
    "one-sided tests give p < .05 after the correction; better, that they do not and the test of a difference does. "
    "Everything else is not separable, which does not mean equal. Each of the two claims is meant to be wrong in at "
    "most 5 % of studies, and simulated studies keep to it from three seeds on. Intervals are those of the single "
    "comparison."
)

_RANKS = (
    " Over data sets the ranks of mean IoU are compared by Friedman's test and, where it gives p < .05, by Nemenyi's: "
    "a claim of its own, at 5 %."
)


def tests_in_words(margin: float, members: int, datasets: int) -> str:
    """The methods' paragraph on statistics, for a study with so many members and data sets and this margin (points)."""
    return _TESTS.format(margin=margin) + (_RANKS if min(members, datasets) >= FEWEST else "")
