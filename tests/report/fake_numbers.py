"""Numbers of a study that nobody ran: counts, epochs and times that behave like real ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nestbench.results.records import Epoch, fingerprint
from nestbench.results.scores import THRESHOLDS
from nestbench.study.models import is_outside
from nestbench.study.schema import Run, Study
from nestbench.topology import MEMBERS, parse, topology

MODELS = ("unet", "wide-unet", "unet-e", "unet+ds", "unet++", "unet++ds")
SIZE = 32
GAIN = {
    "unet": 0.0,
    "wide-unet": 0.002,
    "unet-e": 0.004,
    "unet+": 0.003,
    "unet+ds": 0.006,
    "unet++": 0.005,
    "unet++ds": 0.03,
}
MILLIONS = {
    "unet": 14.3,
    "wide-unet": 16.1,
    "unet-e": 15.2,
    "unet+": 15.2,
    "unet+ds": 15.2,
    "unet++": 16.0,
    "unet++ds": 16.0,
}


@dataclass(frozen=True)
class Fake:
    """What kind of results to write."""

    models: tuple[str, ...] = MODELS
    seeds: int = 3
    cases: int = 40
    datasets: tuple[str, ...] = ("nuclei",)
    encoders: tuple[str, ...] = ("timm:resnet18",)
    classes: tuple[str, ...] = ("background", "nucleus")
    failed: tuple[str, ...] = ()
    """Runs such as ``unet/seed-1`` that failed; ``unet`` alone stands for all its runs."""
    speed: bool = True
    search: bool = False
    cases_a_subject: int = 1
    path: str = "."
    """An option of the data set's own reader."""

    @property
    def names(self) -> list[str]:
        return [f"case-{index:03d}" for index in range(self.cases)]


def random(*words: object) -> np.random.Generator:
    return np.random.default_rng(int(fingerprint([str(w) for w in words]), 16))


def stand_in(model: str) -> str:
    """The member of the family whose numbers a network gets: of another library's, those of U-Net."""
    return "unet" if is_outside(model) else model


def size(member: str, depth: int) -> int:
    return int(MILLIONS[member] * 1e6 / 4 ** (4 - depth))


def counts(run: Run, fake: Fake, output: str, split: str) -> pd.DataFrame:
    """Counts of pixels whose IoU has a case, a seed, a member and a rest part, so that cases and seeds correlate."""
    member, depth = parse(stand_in(run.cell.model), run.cell.depth)
    shallow = 0.0 if output == "ensemble" else 0.001 + 0.006 * (depth - int(output[1:])) ** 2
    case = random(run.cell.dataset.title, split).normal(0, 0.07, fake.cases)
    seed = random(run.cell.key, run.seed, "seed").normal(0, 0.002)
    rest = random(run.cell.key, run.seed, split).normal(0, 0.012, fake.cases)
    own = random(run.cell.key, run.seed, split, output).normal(0, 0.008, fake.cases)
    iou = np.clip(0.83 + GAIN[member] - shallow + case + seed + rest + own, 0.05, 0.99)
    pixels, union = SIZE * SIZE, 400
    rows = []
    for label in fake.classes[1:]:
        tp = np.round(iou * union).astype(int)
        fp = (union - tp) // 2
        content: dict[str, Any] = {"split": split, "case": fake.names, "output": output, "label": label}
        content["subject"] = [f"subject-{i // fake.cases_a_subject:02d}" for i in range(fake.cases)]
        content |= {"tp": tp, "fp": fp, "fn": union - tp - fp, "tn": pixels - union}
        for threshold in THRESHOLDS:
            content |= {
                f"tp_{threshold}": np.maximum(tp - threshold, 0),
                f"fp_{threshold}": np.maximum(fp - threshold, 0),
            }
        rows.append(pd.DataFrame(content))
    return pd.concat(rows)


def epochs(draw: np.random.Generator, length: int, top: float) -> list[Epoch]:
    rise = 1 - np.exp(-np.arange(length) / 6)
    iou = top * rise + draw.normal(0, 0.006, length)
    loss = 1.2 - rise + 0.004 * np.arange(length) + draw.normal(0, 0.01, length)
    best = np.maximum.accumulate(iou) == iou
    numbers = zip(loss.tolist(), iou.tolist(), best.tolist(), strict=True)
    return [Epoch(i, 0.9 * off, off, on, better, 5.0, 0.05, 0.4) for i, (off, on, better) in enumerate(numbers)]


def speed(study: Study) -> dict[str, Any]:
    rows = []
    for cell in study.cells():
        grid = topology(stand_in(cell.model), cell.depth)
        member = parse(stand_in(cell.model), cell.depth)[0]
        heavy = {"first": 1.0, "last": 1.4, "all": 2.0}[MEMBERS[member].skips] * (1.2 if MEMBERS[member].wide else 1.0)
        for depth in (*grid.heads, *([grid.depth] if grid.deep_supervision else [])):
            output = "all" if [r for r in rows if _same(r, cell.key) and r["depth"] == depth] else f"L{depth}"
            ms = 4.0 * heavy * depth**1.2 + (1.0 if output == "all" else 0.0)
            row = {"dataset": cell.dataset.title, "encoder": cell.encoder, "model": cell.model, "output": output}
            row |= {"depth": depth, "parameters": size(member, depth), "flops": int(5e8 * ms), "batch": 1}
            rows.append(row | {"median_ms": ms, "q25_ms": 0.97 * ms, "q75_ms": 1.05 * ms})
    return {"device": "AMD EPYC 9V74 80-Core Processor", "plan": {}, "rounds": 15, "rows": rows}


def _same(row: dict[str, Any], key: tuple[str, str, str]) -> bool:
    return (row["dataset"], row["encoder"], row["model"]) == key
