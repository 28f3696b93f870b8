"""A network and cases to scores: of each depth, and of the ensemble of all."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestbench.datasets.contract import Case
from nestbench.datasets.feed import Feed, batches
from nestbench.machine import Plan
from nestbench.metrics import count, decide, probabilities
from nestbench.model import AnyNetwork
from nestbench.results.scores import COUNTS, THRESHOLDS, iou

BATCH = 32


def outputs(logits: dict[int, Tensor]) -> dict[str, Tensor]:
    """Probabilities (N, K, H, W) of each head, ``L1`` .., and with several heads of their mean, ``ensemble``."""
    heads = {f"L{depth}": probabilities(values) for depth, values in logits.items()}
    if len(heads) > 1:
        return heads | {"ensemble": torch.stack(list(heads.values())).mean(dim=0)}
    return heads


@torch.no_grad()
def predict(model: AnyNetwork, data: Feed, plan: Plan) -> Iterator[tuple[dict[int, Tensor], Tensor]]:
    """Each batch's logits by depth, and its masks. The network is left in evaluation mode."""
    model.eval()
    for images, masks in batches(data, BATCH):
        with plan.autocast():
            logits = model(plan.arrange(images))
        yield {depth: values.float() for depth, values in logits.items()}, masks


def count_cases(
    model: AnyNetwork, data: Feed, cases: Sequence[Case], classes: Sequence[str], plan: Plan, split: str
) -> pd.DataFrame:
    """Table of counts (``results.scores``) for each case, output and class but the background, ``classes[0]``."""
    tables, start = [], 0
    for logits, masks in predict(model, data, plan):
        part = cases[start : start + len(masks)]
        tables += [_table(p, masks, part, classes[1:], split, name) for name, p in outputs(logits).items()]
        start += len(masks)
    return pd.concat(tables, ignore_index=True)


def predicted_masks(model: AnyNetwork, data: Feed, plan: Plan) -> NDArray[np.uint8]:
    """Class index of each pixel by the network's primary output: (N, H, W)."""
    primary = model.spec.primary
    parts = [decide(outputs(logits)[primary]) for logits, _ in predict(model, data, plan)]
    return torch.cat(parts).to(torch.uint8).cpu().numpy()


def mean_iou(probability: Tensor, masks: Tensor) -> Tensor:
    """Foreground IoU of each case (N,), averaged over its classes, float64 on the CPU."""
    counts = count(probability, masks)
    tp, fp, fn = (c.double().cpu().numpy() for c in (counts.tp, counts.fp, counts.fn))
    return torch.from_numpy(iou(tp, fp, fn)).mean(dim=1)


def _table(
    probability: Tensor, masks: Tensor, cases: Sequence[Case], labels: Sequence[str], split: str, output: str
) -> pd.DataFrame:
    counts = count(probability, masks)
    n, k = counts.tp.shape
    columns: dict[str, object] = {
        "split": split,
        "case": np.repeat([c.id for c in cases], k),
        "subject": np.repeat([c.subject for c in cases], k),
        "output": output,
        "label": np.tile(list(labels), n),
    }
    columns |= {name: getattr(counts, name).cpu().numpy().ravel() for name in COUNTS}
    for name, values in (("tp", counts.tp_at), ("fp", counts.fp_at)):
        flat = values.cpu().numpy().reshape(n * k, len(THRESHOLDS))
        columns |= {f"{name}_{t}": flat[:, i] for i, t in enumerate(THRESHOLDS)}
    return pd.DataFrame(columns)
