"""Tables as they are printed, of a study whose objects are told apart."""

from typing import Any

import pandas as pd

from nestbench.report.blocks import Block, Cell, bold, column, table
from nestbench.report.frames import PANEL, first, groups, rows
from nestbench.report.instances.tables import CHOSEN
from nestbench.report.names import NONE, counted, points, significant, spread, title
from nestbench.report.sheets import grouped
from nestbench.results.instance_scores import SIZES

_MEMBERS = (
    "Score is TP / (TP + FP + FN), the mean over the IoU thresholds .5:.05:.95; PQ is panoptic quality, AJI the "
    "aggregated Jaccard index. The interval of Score is bootstrapped over seeds and subjects. Bold: better than every "
    "other network of its group by the corrected paired test of Score."
)

_POOLED = (
    "AP is COCO's average precision over the IoU thresholds .5:.05:.95, of all test cases together and with as many "
    "objects of a picture as were found, AP50 and AP75 that at one threshold. IoU and Dice are of the union of all "
    "objects, means over test subjects. In points, mean ± s.d. over seeds."
)

_PRINTED = (
    "Ours beside what the paper prints (arXiv 1912.05074, table V, resnet-101), in points. Protocols differ as the "
    "next table says: levels cannot be compared."
)

_SIZES = (
    "By the diameter in pixels of the circle of an object's area: Score, the share of the true objects that are found "
    "at an IoU of .5 and .75, and the mean over the true objects of the IoU and Dice with the found object that fits "
    "best. All test cases together, in points, mean ± s.d. over seeds; n is the number of true objects. A found object "
    "that is wrong counts against its own size."
)

_WAYS = (
    "What each run chose by the mean Score on the validation cases: the score from which an object of a Mask R-CNN "
    "counts, the probability from which a pixel does, the standard deviation in pixels by which the distance is "
    "smoothed, the pixels between its tops at least, and the pixels of the smallest object. One value a seed, in the "
    "order of the seeds, or one where all are equal."
)

_SPEED = (
    "Median time of an image, and its quartiles, from the image to its objects told apart, with the weights of the "
    "first seed and what was chosen for them on the validation cases."
)

Row = Any


def way(output: str) -> str:
    """How objects are told apart, in words."""
    return output if output in ("components", "watershed") else "one by one"


def members(main: pd.DataFrame, depth: int, planned: int) -> Block:
    """The main table of all data sets; ``planned`` is the number of seeds that the study asks for."""
    references = first(main, "reference")
    reference = title(references[0], depth) if len(references) == 1 else "the first"
    columns = [
        column("Network", "left", wide=True),
        column("objects by", "left"),
        *map(column, ("Score", "95 % interval", "PQ", "AJI")),
        column(f"against\n{reference}", "left"),
    ]
    cases = main.groupby("dataset", sort=False)["cases"].first()
    sizes = ", ".join(f"{count} test cases of {name}" for name, count in cases.items())
    opening = f"Test scores in points: mean ± s.d. over {counted(planned, 'seed')} of the mean over test subjects."
    body = grouped(main, lambda row: _member(row, depth, planned))
    return table(columns, body, f"{opening} {_MEMBERS}{_judged(main)} n: {sizes}.")


def pooled(main: pd.DataFrame, depth: int) -> Block:
    """Average precision, overlap of the unions, and size of each network."""
    columns = [
        column("Network", "left", wide=True),
        column("objects by", "left"),
        *map(column, ("AP", "AP50", "AP75", "IoU", "Dice", "parameters\n(millions)")),
    ]

    def cells(row: Row) -> list[Cell]:
        scores = ((getattr(row, name), getattr(row, f"{name}_sd")) for name in ("ap", "ap50", "ap75", "iou", "dice"))
        size = significant(row.parameters, 1e6)
        return [title(row.model, depth), way(row.output), *(spread(*score) for score in scores), size]

    return table(columns, grouped(main, cells), _POOLED)


def printed(paper: pd.DataFrame, depth: int) -> Block:
    """The paper's numbers beside ours."""
    columns = [column("Network", "left", wide=True), column("objects by", "left")]
    columns += [column(f"{name}\n{where}") for name in ("IoU", "Dice", "Score") for where in ("paper", "here")]

    def cells(row: Row) -> list[Cell]:
        pairs = [
            cell
            for name in ("iou", "dice", "score")
            for cell in (
                points(getattr(row, f"paper_{name}"), 2),
                spread(getattr(row, name), getattr(row, f"{name}_sd")),
            )
        ]
        return [title(row.model, depth), way(row.output), *pairs]

    return table(columns, grouped(paper, cells), _PRINTED)


def sizes(content: pd.DataFrame, depth: int) -> Block:
    """Scores by the size of the objects, a group of rows each size."""
    columns = [column("Network", "left", wide=True)]
    columns += map(column, ("Score", "found\nat .5", "found\nat .75", "IoU of\nthe best", "Dice of\nthe best"))

    def cells(row: Row) -> list[Cell]:
        scores = [spread(getattr(row, name), getattr(row, f"{name}_sd")) for name in ("score", "found_50")]
        shares = [points(getattr(row, name)) for name in ("found_75", "best_iou", "best_dice")]
        return [title(row.model, depth), *scores, *shares]

    body = []
    for (dataset, encoder), panel in groups(content, ["dataset", "encoder"]):
        for size in (size for size in SIZES if (panel["size"] == size).any()):
            own = panel[panel["size"] == size]
            named = f"{dataset}, {encoder}: {size} pixels, n = {own['true'].max():,}"
            body.append((named, [cells(row) for row in rows(own)]))
    return table(columns, body, _SIZES)


def ways(content: pd.DataFrame, depth: int) -> Block:
    """What was chosen on the validation side, a row per network and output."""
    columns = [column("Network", "left", wide=True), column("objects by", "left")]
    columns += map(column, ("score", "probability", "smoothed", "tops apart", "smallest"))

    def cells(row: Row) -> list[Cell]:
        return [title(row.model, depth), way(row.output), *(getattr(row, name) for name in CHOSEN)]

    keys = [*PANEL, "model", "output"]
    values = content.groupby(keys, sort=False)[list(CHOSEN)].agg(_values).reset_index()
    return table(columns, grouped(values, cells), _WAYS)


def _values(seeds: pd.Series) -> str:
    """The values of all seeds, or the one that all have."""
    printed = [NONE if pd.isna(value) else f"{value:g}" for value in seeds]
    return printed[0] if len(set(printed)) == 1 else ", ".join(printed)


def speed(content: pd.DataFrame, depth: int, device: str) -> Block:
    """Time of an image on a device."""
    columns = [column("Network", "left", wide=True), column("objects by", "left"), column("ms an image (quartiles)")]

    def cells(row: Row) -> list[Cell]:
        quartiles = f"{significant(row.q25_ms)} to {significant(row.q75_ms)}"
        return [title(row.model, depth), way(row.output), f"{significant(row.median_ms)} ({quartiles})"]

    return table(columns, grouped(content, cells), f"{_SPEED} On {device}.")


def _member(row: Row, depth: int, planned: int) -> list[Cell]:
    name = title(row.model, depth) + (f" ({row.seeds} of {planned} seeds)" if row.seeds < planned else "")
    score = spread(row.score, row.score_sd)
    return [
        bold(name) if row.best else name,
        way(row.output),
        bold(score) if row.best else score,
        NONE if pd.isna(row.low) else f"{points(row.low)} to {points(row.high)}",
        spread(row.pq, row.pq_sd),
        spread(row.aji, row.aji_sd),
        row.verdict or NONE,
    ]


def _judged(main: pd.DataFrame) -> str:
    """Which of several ways a network is judged by, where there are several."""
    own = main[main["primary"]]
    several = set(main.loc[~main["primary"], "model"])
    ways = sorted({way(output) for output in own.loc[own["model"].isin(several), "output"]})
    return f" Networks with two rows are judged by {' or '.join(ways)}." if ways else ""
