"""What the UNet++ paper prints of instance segmentation, to set beside ours, and how its protocol differs.

Source: arXiv 1912.05074 (IEEE TMI 39(6), 2020), table V: nuclei, resnet-101, IoU and Dice in percent, Score as a share,
without a spread. How objects were told apart in what U-Net and UNet++ found is not said.
"""

from typing import NamedTuple

import pandas as pd

from nestbench.report.gather import Evidence
from nestbench.report.names import TIMES, counted
from nestbench.report.paper import view


class Printed(NamedTuple):
    """A line of the paper's table."""

    iou: float
    dice: float
    score: float


NUCLEI = {
    "unet": Printed(0.9103, 0.7573, 0.244),
    "unet++": Printed(0.9255, 0.8974, 0.327),
    "maskrcnn": Printed(0.9328, 0.8791, 0.401),
    "maskrcnn++": Printed(0.9510, 0.9136, 0.414),
}


def printed(evidence: Evidence, main: pd.DataFrame) -> pd.DataFrame:
    """The paper's numbers beside ours, where a data set is the nuclei and a network is one of its own."""
    nuclei = {spec.title for spec in evidence.study.datasets if spec.name == "nuclei"}
    ours = main[main["dataset"].isin(nuclei) & main["model"].isin(NUCLEI)]
    theirs = [NUCLEI[model]._asdict() for model in ours["model"]]
    if not theirs:
        return pd.DataFrame()
    both = ours.join(pd.DataFrame(theirs, index=ours.index).add_prefix("paper_"))
    metrics = [column for name in Printed._fields for column in (f"paper_{name}", name, f"{name}_sd")]
    return both[["dataset", "encoder", "model", "output", *metrics]].reset_index(drop=True)


def protocols(evidence: Evidence, paper: pd.DataFrame) -> pd.DataFrame:
    """What differs between the paper's protocol and this study's, a row for each thing and data set."""
    study = evidence.study
    start = "pretrained" if study.pretrained else "from scratch"
    rows = []
    for name in dict.fromkeys(paper["dataset"]):
        about = evidence.datasets[name]
        counts = about["counts"]
        sides = " / ".join(str(counts[side]) for side in ("train", "validation", "test"))
        for what, theirs, here in (
            ("training, validation, test", "50 / 20 / 30 % of 670 images", f"{sides} cases"),
            ("what a network sees", "not said of this table", view(about)),
            ("encoder", "resnet-101", f"{' and '.join(study.encoders)}, {start}"),
            ("trials", "one number, no spread", counted(study.seeds, "seed")),
            ("objects of U-Net and UNet++", "not said", "connected components, and watershed"),
            ("IoU and Dice", f"not defined; cannot both be of one mask ({_impossible()})", "of the union of objects"),
            ("Score", "mean over IoU thresholds 0.5:0.05:0.95", "the same, the mean over cases"),
        ):
            rows.append({"dataset": name, "what": what, "paper": theirs, "here": here})
    return pd.DataFrame(rows)


def _impossible() -> str:
    """The paper's Dice that is below its IoU: of one mask it is 2 IoU / (1 + IoU), and so above."""
    unet = NUCLEI["unet"]
    return f"Dice {100 * unet.dice:.2f} and IoU {100 * unet.iou:.2f} of U-Net: 2 {TIMES} IoU / (1 + IoU) is above IoU"
