"""Tables as they are printed: numbers rounded, members by name, one group of rows a panel."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from nestbench.report.blocks import Block, Cell, bold, column, table
from nestbench.report.frames import CELL, PANEL, first, groups, rows
from nestbench.report.names import MINUS, NONE, counted, points, probability, signed, significant, spread, title
from nestbench.report.statistics.comparisons import TESTS
from nestbench.study.models import is_outside

Row = Any

_MEMBERS = (
    "IoU and Dice are of the foreground at threshold 0.5; mean IoU averages foreground and background, at 0.5 and "
    "over the thresholds 0.5:0.05:0.95. The interval of IoU is bootstrapped over seeds and subjects; rank 1 is how "
    "often a network has the highest mean of its group when both are drawn again; it is not a test, and "
    "close to 1 is no verdict. Bold: better than every other network of its group by the corrected test."
)

_COMPARISONS = (
    "Difference of test {metric} between two networks on the same seeds and subjects. The verdict follows p, the "
    "crossed test of a difference, and p equivalent, that of the difference lying within the margin. The interval is "
    "of the single comparison. p t-test (the papers': independent, over seeds) and p Wilcoxon (over subjects) stand "
    "there for reference: each forgets one of the two things that vary. Every p is corrected by Holm's method over all "
    "comparisons of the study."
)

_DEPTHS = (
    "Every output of every network, in points of IoU, with the parameters, GFLOPs (2 per multiply-add, one image) and "
    "median time of the pruned network that gives this output alone. Pruning: the depth that the validation cases "
    "chose as not inferior to the deepest head, and whether the test cases confirm it."
)


def members(main: pd.DataFrame, depth: int, planned: int) -> Block:
    """The main table of all data sets; ``planned`` is the number of seeds that the study asks for."""
    references = first(main, "reference")
    reference = title(references[0], depth) if len(references) == 1 else "the first"
    columns = [
        column("Network", "left", wide=True),
        *map(column, ("IoU", "95 % interval", "rank 1", "Dice", "mean IoU", "mean IoU\n.5:.95")),
        column("parameters\n(millions)"),
        column(f"against\n{reference}", "left"),
    ]
    cases = main.groupby("dataset", sort=False)["cases"].first()
    sizes = ", ".join(f"{count} test cases of {name}" for name, count in cases.items())
    opening = (
        f"Test scores in points: mean ± s.d. over {counted(planned, 'seed')} of the mean over test subjects, each the "
        "mean of its cases."
    )
    body = grouped(main, lambda row: _member(row, depth, planned))
    return table(columns, body, f"{opening} {_MEMBERS} n: {sizes}.")


def comparisons(pairs: pd.DataFrame, depth: int, metric: str = "IoU") -> Block:
    """Every comparison of two members by a metric."""
    columns = [
        column("Difference", "left", wide=True),
        *map(column, (f"{metric} (points)", "95 % interval", "p", "p\nequivalent", "p\nt-test", "p\nWilcoxon")),
        column("verdict", "left"),
    ]
    sizes = ", ".join(_size(dataset, own) for dataset, own in groups(pairs, "dataset"))
    return table(
        columns,
        grouped(pairs, lambda row: _comparison(row, depth)),
        f"{_COMPARISONS.format(metric=metric)} n: {sizes}.",
    )


def depths(outputs: pd.DataFrame, depth: int, device: str) -> Block:
    """Every output of every member, with the size and time of the network that gives it alone."""
    columns = [
        column("Network", "left", wide=True),
        column("output", "left"),
        *map(column, ("test IoU", "validation\nIoU", "parameters\n(millions)", "GFLOPs", "ms (quartiles)")),
        column("pruning", "left"),
    ]
    measured = f" Times on {device}, one image at a time." if device else ""
    return table(columns, grouped(outputs, lambda row: _output(row, depth)), f"{_DEPTHS}{measured}")


def named(content: pd.DataFrame, depth: int, wide: str, caption: str) -> Block:
    """A table of words about cells, one group of rows a panel; the column ``wide`` wraps."""
    rest = [name for name in content.columns if name not in CELL]

    def cells(row: Row) -> list[Cell]:
        return [title(row.model, depth), *(_word(getattr(row, name)) for name in rest)]

    columns = [column(name, "left", wide=name == wide) for name in ("network", *rest)]
    return table(columns, grouped(content, cells), caption)


def facts(content: dict[str, Any], caption: str) -> Block:
    """A table of names and values."""
    columns = [column("name", "left"), column("value", "left", wide=True)]
    return table(columns, [("", [[name, _word(value)] for name, value in content.items()])], caption)


def _member(row: Row, depth: int, planned: int) -> list[Cell]:
    name = title(row.model, depth) + (f" ({row.seeds} of {planned} seeds)" if row.seeds < planned else "")
    iou = spread(row.iou, row.iou_sd)
    return [
        bold(name) if row.best else name,
        bold(iou) if row.best else iou,
        NONE if pd.isna(row.low) else f"{points(row.low)} to {points(row.high)}",
        probability(row.rank_1),
        spread(row.dice, row.dice_sd),
        points(row.mean_iou),
        points(row.mean_iou_thresholds),
        significant(row.parameters, 1e6),
        row.verdict or NONE,
    ]


def _comparison(row: Row, depth: int) -> list[Cell]:
    return [
        f"{title(row.model, depth)} {MINUS} {title(row.against, depth)}",
        signed(row.difference),
        NONE if pd.isna(row.low) else f"{signed(row.low)} to {signed(row.high)}",
        *(probability(getattr(row, f"{test}_holm")) for test in TESTS),
        row.verdict,
    ]


def _output(row: Row, depth: int) -> list[Cell]:
    quartiles = "" if pd.isna(row.median_ms) else f" ({significant(row.q25_ms)} to {significant(row.q75_ms)})"
    return [
        title(row.model, depth),
        "whole" if is_outside(row.model) else row.output,
        spread(row.test, row.test_sd),
        points(row.validation),
        significant(row.parameters, 1e6),
        significant(row.flops, 1e9),
        significant(row.median_ms) + quartiles,
        row.decision or NONE,
    ]


def _word(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value) or NONE


def grouped(content: pd.DataFrame, cells: Callable[[Row], list[Cell]]) -> list[tuple[str, list[list[Cell]]]]:
    """Rows of a table as cells, those of a panel in one group."""
    return [(f"{d}, {e}", [cells(row) for row in rows(panel)]) for (d, e), panel in groups(content, PANEL)]


def _size(dataset: str, pairs: pd.DataFrame) -> str:
    low, high = pairs["seeds"].min(), pairs["seeds"].max()
    seeds = counted(high, "seed") if low == high else f"{low} to {high} seeds"
    return f"{seeds} and {counted(pairs['subjects'].max(), 'subject')} of {dataset}"
