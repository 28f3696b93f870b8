"""Numbers that the UNet++ paper prints, to set beside ours, and how its protocol differs.

``paper.csv``: IoU in percent, mean and standard deviation of 20 trials, by data set and member. Source: arXiv
1912.05074 (IEEE TMI 39(6), 2020), tables I and IV. Its cells are private, so the public cells here are not theirs. The
paper does not define its IoU; that of the lung nodules is a mean over the thresholds 0.5:0.05:0.95.
"""

from importlib.resources import files
from typing import Any, NamedTuple

import pandas as pd

from nestbench.report.frames import CELL, rows
from nestbench.report.gather import Evidence
from nestbench.report.names import TIMES, counted
from nestbench.results.scores import METRICS
from nestbench.study.data import DatasetSpec

DEPTH, TRIALS = 4, 20


class Protocol(NamedTuple):
    """What the paper says of a data set (section IV-A): its split, and how images were seen."""

    split: str
    view: str


PROTOCOL = {
    "em": Protocol("24 / 3 / 3 sections", f"patches of 96 {TIMES} 96 pixels, half overlapping, by vote"),
    "nuclei": Protocol("50 / 20 / 30 % of 670 images", f"patches of 96 {TIMES} 96 pixels, stride 32, at the test 1"),
    "brain-tumor": Protocol("5 folds of 6 patients: 3 / 1 / 1", f"slices at 256 {TIMES} 256 pixels, labels merged"),
    "liver": Protocol("100 / 15 / 15 patients", "slices, liver against all else"),
    "lung-nodule": Protocol("510 / 100 / 408 cases", f"crops of 64 {TIMES} 64 {TIMES} 64 voxels of 1 mm"),
}


def printed(evidence: Evidence, main: pd.DataFrame) -> pd.DataFrame:
    """The paper's IoU beside ours by the same metric, where a data set and a member are its own at its depth of 4."""
    names = {spec.title: spec.name for spec in evidence.study.datasets}
    ours = (
        main.assign(name=main["dataset"].map(names)) if evidence.study.depth == DEPTH else main.iloc[:0].assign(name="")
    )
    both = ours.merge(_numbers(), left_on=["name", "model"], right_on=["source", "model"], suffixes=("", "_theirs"))
    if both.empty:
        return pd.DataFrame()
    own = [[getattr(row, row.metric), getattr(row, f"{row.metric}_sd")] for row in rows(both)]
    values = pd.DataFrame(own, columns=["ours", "ours_sd"], index=both.index)
    return both[[*CELL, "metric", "table", "paper_iou", "paper_iou_sd"]].join(values)


def protocols(evidence: Evidence, paper: pd.DataFrame) -> pd.DataFrame:
    """What differs between the paper's protocol and this study's, a row for each thing and data set."""
    return pd.DataFrame(
        [
            {"dataset": spec.title, "what": what, "paper": theirs, "here": ours}
            for spec in evidence.study.datasets
            if spec.title in set(paper["dataset"])
            for what, theirs, ours in _differences(evidence, spec)
        ]
    )


def _numbers() -> pd.DataFrame:
    with files("nestbench.report").joinpath("paper.csv").open(encoding="utf-8") as file:
        table = pd.read_csv(file).rename(columns={"dataset": "source"})
    return table.assign(paper_iou=table["iou"] / 100, paper_iou_sd=table["sd"] / 100).drop(columns=["iou", "sd"])


def _differences(evidence: Evidence, spec: DatasetSpec) -> list[tuple[str, str, str]]:
    study, about = evidence.study, evidence.datasets[spec.title]
    protocol = PROTOCOL[spec.name]
    sides = " / ".join(str(about["counts"][side]) for side in ("train", "validation", "test"))
    return [
        ("training, validation, test", protocol.split, f"{sides} cases of {counted(about['subjects'], 'subject')}"),
        ("what a network sees", protocol.view, view(about)),
        (
            "network",
            "the paper's block, from scratch",
            f"block {study.block}, {' and '.join(study.encoders)}{_start(evidence)}",
        ),
        ("trials", str(TRIALS), counted(study.seeds, "seed")),
        ("IoU", "not defined; a mean over thresholds for nodules", METRICS["iou"]),
    ]


def view(about: dict[str, Any]) -> str:
    """How networks see a data set, in words."""
    if about["patch"]:
        return f"windows of {f' {TIMES} '.join([str(about['patch'])] * about['dims'])}, blended where they overlap"
    return f"whole images resized to {about['size']} {TIMES} {about['size']} pixels"


def _start(evidence: Evidence) -> str:
    return ", pretrained" if evidence.study.pretrained else ", from scratch"
