"""The pictures of the report: the same test cases for each network, and for each head of those that have several."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from nestbench.report.blocks import Block, paragraph
from nestbench.report.figures.board import in_parts
from nestbench.report.figures.overlays import WHOLE, cut, overlays
from nestbench.report.figures.plates import plate
from nestbench.report.frames import CELL, rows
from nestbench.report.gather import Evidence
from nestbench.report.names import listed, shortened, title
from nestbench.report.pictures import CellKey

_NO_HEADS = (
    "What single heads{whose} found in these cases was not kept when these runs were made: only whole networks can be "
    "shown."
)


def overlay_plates(evidence: Evidence, build: Path) -> Iterator[Block]:
    """A best, a median and a worst case by each network, one figure a data set and encoder."""
    depth, scores = evidence.study.depth, _shown(evidence, evidence.primary_cases)
    for dataset, encoder in evidence.panels:
        keys = [(dataset, encoder, m) for m in evidence.study.models if (dataset, encoder, m) in evidence.predictions]
        if not keys:
            continue
        found = {title(key[2], depth): evidence.predictions[key] for key in keys}
        overlay = evidence.overlays[dataset]
        shown = _panel(scores, dataset, encoder).drop_duplicates(["model", "case"])
        iou = {(title(row.model, depth), row.case): row.iou for row in rows(shown)}
        caption = (
            f"{dataset}, {encoder}: the best, the median and the worst test case by mean IoU over all runs "
            f"({', '.join(map(shortened, overlay.cases))}). {_LINES}{_PARTS if cut(overlay) else ''}"
        )
        for part, some in enumerate(in_parts(found)):
            more = f"-{part}" if part else ""
            yield plate(overlays(overlay, some, iou), evidence, build, f"overlays-{dataset}-{encoder}{more}", caption)


def head_plates(evidence: Evidence, build: Path) -> Iterator[Block]:
    """The same cases by each head of each network that has several, a figure each; or that this was not kept."""
    depth, scores = evidence.study.depth, _shown(evidence, evidence.test_cases)
    for dataset, encoder, model in evidence.heads:
        overlay, found = evidence.overlays[dataset], evidence.heads[dataset, encoder, model]
        shown = _panel(scores, dataset, encoder)
        shown = shown[shown["model"] == model].drop_duplicates(["output", "case"])
        iou = {(row.output, row.case): row.iou for row in rows(shown)}
        caption = (
            f"{title(model, depth)} on {dataset}, {encoder}: the same cases by each head, and by the mean of all "
            f"(ensemble). {_LINES}{_PARTS if cut(overlay) else ''}"
        )
        yield plate(overlays(overlay, found, iou), evidence, build, f"heads-{dataset}-{encoder}-{model}", caption)
    lacking = [key for key in _several(scores) if key not in evidence.heads]
    if lacking:
        whose = f" of {listed([f'{title(m, depth)} on {d}, {e},' for d, e, m in lacking])}" if evidence.heads else ""
        yield paragraph(_NO_HEADS.format(whose=whose))


_LINES = "Blue area: truth; red line: prediction of the first finished seed, with the whole case's IoU in points below."

_PARTS = (
    f" Of an image of over {WHOLE} pixels a side the part around the objects is shown, or {WHOLE} pixels where they "
    "are dense."
)


def _shown(evidence: Evidence, scores: pd.DataFrame) -> pd.DataFrame:
    """Scores of the cases that are shown, of whatever data set."""
    return scores[scores["case"].isin([case for overlay in evidence.overlays.values() for case in overlay.cases])]


def _panel(scores: pd.DataFrame, dataset: str, encoder: str) -> pd.DataFrame:
    return scores[(scores["dataset"] == dataset) & (scores["encoder"] == encoder)]


def _several(scores: pd.DataFrame) -> list[CellKey]:
    """The cells whose networks have several outputs."""
    outputs = scores.drop_duplicates([*CELL, "output"]).groupby(CELL, sort=False).size()
    return [(str(d), str(e), str(m)) for d, e, m in outputs.index[outputs > 1]]
