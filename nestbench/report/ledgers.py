"""Tables as they are printed, of what a network costs, of its classes, and of the paper's numbers beside ours."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from nestbench.report.blocks import Block, Cell, column, table
from nestbench.report.frames import PANEL, first, groups, rows
from nestbench.report.names import MINUS, NONE, points, probability, signed, significant, spread, title
from nestbench.report.sheets import grouped
from nestbench.results.scores import METRICS

_PRINTED = (
    "Ours beside what the paper prints (arXiv 1912.05074, {tables}; mean ± s.d. of 20 trials), ours as {metric}; the "
    "paper does not define its IoU. Data, views and networks differ as the next table says: levels cannot be compared."
)

_PROTOCOLS = "What differs between the paper's protocol and this study's."

_COSTS = (
    "What a run took: training with the validation between its epochs, mean ± s.d. over seeds. Cases a second: "
    "training cases seen (or what the study says that an epoch shows of them), over those seconds. Images a second: "
    "inference of the whole network, one image at a time{device}. {shares}{memory}"
)

_MEMORY = {
    "cpu": (
        "Peak memory: by how much the resident memory of a run's process grew while it trained, the median over "
        "seeds: network, optimiser, activations and the data that it holds. A process's first run also pays for what "
        "is loaded once."
    ),
    "cuda": (
        "Peak memory: what training held of the GPU's, as torch's allocator counts it, the median over seeds: network, "
        "optimiser, activations and the data that lie there."
    ),
}

_SHARES = (
    "Data and validation: shares of the seconds, in which training waited for its batches{gpu}, and looked at the "
    "validation side. Test: seconds after them, in which validation and test cases were judged and files written. "
)
_ON_GPU = " (what augmentation takes of a GPU counts with its steps)"

_NO_MEMORY = "Peak memory of training was not recorded when these runs were made."

_ISOLATED = (
    "A head trained with all others (embedded) and the same network trained to that depth alone: difference of test "
    "IoU on the same seeds and subjects, tested and corrected together with the comparisons of networks."
)

_MEMBERS = 6
"""Columns of networks that fit beside one another."""

Row = Any


def printed(paper: pd.DataFrame, depth: int) -> Iterator[Block]:
    """The paper's numbers beside ours, a table for each metric."""

    def cells(row: Row) -> list[Cell]:
        return [title(row.model, depth), spread(row.ours, row.ours_sd), spread(row.paper_iou, row.paper_iou_sd)]

    for metric, own in groups(paper, "metric"):
        columns = [column("Network", "left", wide=True), column("here"), column("paper")]
        caption = _PRINTED.format(tables=" and ".join(sorted(set(own["table"]))), metric=METRICS[metric])
        yield table(columns, grouped(own, cells), caption)


def protocols(content: pd.DataFrame) -> Block:
    """How the paper's protocol and this study's differ, a group of rows each data set."""
    columns = [column("", "left"), column("paper", "left", wide=True), column("here", "left", wide=True)]
    body = [(name, [[row.what, row.paper, row.here] for row in rows(own)]) for name, own in groups(content, "dataset")]
    return table(columns, body, _PROTOCOLS)


def costs(content: pd.DataFrame, depth: int, trained_on: str) -> Block:
    """Seconds, epochs, memory and rates of each network; ``trained_on`` is the kind of device."""
    measured = bool(content["memory"].notna().any())
    told = bool(content[["validating", "testing"]].notna().any(axis=None))

    def cells(row: Row) -> list[Cell]:
        parts = f" (batches in {row.parts:.0f} parts)" if row.parts > 1 else ""
        seconds = significant(row.seconds) + ("" if pd.isna(row.seconds_sd) else f" ± {significant(row.seconds_sd)}")
        rates = (significant(row.cases_per_second), significant(row.images_per_second))
        memory = [significant(row.memory, 2**20)] * measured
        shares = [points(row.feeding), points(row.validating), significant(row.testing)] if told else []
        return [title(row.model, depth) + parts, seconds, *shares, f"{row.epochs:.1f}", *memory, *rates]

    memory = ["peak memory\n(MiB)"] * measured
    shares = ["data\n(%)", "validation\n(%)", "test\n(s)"] if told else []
    names = ("seconds a run", *shares, "epochs", *memory, "cases\na second", "images\na second")
    devices = content["device"].dropna().unique()
    device = f", on {devices[0]}" if len(devices) else ", which was not measured"
    said = _MEMORY[trained_on] if measured else _NO_MEMORY
    columns = [column("Network", "left", wide=True), *map(column, names)]
    parts = _SHARES.format(gpu=_ON_GPU if trained_on == "cuda" else "") if told else ""
    caption = _COSTS.format(device=device, shares=parts, memory=said)
    return table(columns, grouped(content, cells), caption)


def isolated(content: pd.DataFrame, depth: int) -> Block:
    """Embedded against isolated training, a row for each pair."""

    def named(model: str, output: str) -> str:
        own = title(model, depth)
        return f"{own} alone" if own.endswith(f" {output}") else f"{own} pruned to {output}"

    def cells(row: Row) -> list[Cell]:
        interval = NONE if pd.isna(row.low) else f"{signed(row.low)} to {signed(row.high)}"
        tests = (probability(row.p_holm), probability(row.p_equivalent_holm))
        pair = f"{named(row.model, row.output)} {MINUS} {named(row.against, row.output)}"
        return [pair, signed(row.difference), interval, *tests, row.verdict]

    names = ("IoU (points)", "95 % interval", "p", "p\nequivalent")
    columns = [column("Difference", "left", wide=True), *map(column, names), column("verdict", "left")]
    return table(columns, grouped(content, cells), _ISOLATED)


def classes(content: pd.DataFrame, depth: int) -> Iterator[Block]:
    """Test IoU by class, one table each data set and encoder; members beside one another as far as they fit."""
    for (dataset, encoder), own in groups(content, PANEL):
        wide = own.pivot_table(index="label", columns="model", values="iou", sort=False)
        names = first(own, "model")
        for models in (names[start : start + _MEMBERS] for start in range(0, len(names), _MEMBERS)):
            body: list[list[Cell]] = [
                [str(label), *(points(wide.loc[label, model]) for model in models)] for label in wide.index
            ]
            columns = [column("Class", "left", wide=True), *(column(title(model, depth)) for model in models)]
            caption = f"{dataset}, {encoder}: test IoU of each class in points, means over seeds and subjects."
            yield table(columns, [("", body)], caption)
