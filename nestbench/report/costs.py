"""What the networks cost to train, and how they do class by class."""

import pandas as pd

from nestbench.report.frames import CELL
from nestbench.report.gather import Evidence


def costs(evidence: Evidence) -> pd.DataFrame:
    """One row per cell: seconds and epochs of a run, training cases a second, bytes at the peak, images a second.

    Seconds are those of training and of the validation between epochs; ``feeding`` and ``validating`` are the shares of
    them in which a run waited for its batches and looked at the validation side, ``testing`` the seconds of the test
    after them: NaN where one of its runs did not note it. ``memory`` is what training held at its peak, the median over
    seeds, NaN where no run recorded it. ``images_per_second`` is of inference by the network as it is judged, one image
    at a time, on the first device where speed was measured.
    """
    runs = evidence.done.astype(dict.fromkeys(("seconds", "epochs", "parts", "memory", "testing"), float))
    table = runs.groupby(CELL, sort=False, as_index=False).agg(
        seeds=("seed", "nunique"),
        seconds=("seconds", "mean"),
        seconds_sd=("seconds", "std"),
        epochs=("epochs", "mean"),
        parts=("parts", "max"),
        memory=("memory", "median"),
    )
    shown = {title: evidence.samples[title] or about["counts"]["train"] for title, about in evidence.datasets.items()}
    table = table.assign(cases_per_second=table["dataset"].map(shown) * table["epochs"] / table["seconds"])
    table = table.merge(_parts(evidence.epochs, runs), on=CELL, how="left")
    return table.merge(_whole_networks(evidence), on=CELL, how="left")


def by_class(evidence: Evidence) -> pd.DataFrame:
    """Test IoU and Dice of each class, mean and s.d. over seeds; empty where no data set has several classes."""
    table = evidence.classes
    if table.empty:
        return pd.DataFrame()
    return table.groupby([*CELL, "label"], sort=False, as_index=False).agg(
        iou=("iou", "mean"), iou_sd=("iou", "std"), dice=("dice", "mean"), dice_sd=("dice", "std")
    )


def _parts(epochs: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """What of each cell's seconds was waiting for batches, and what validation, and the mean seconds of its tests."""
    parts = ["feeding", "validating"]
    known = epochs.reindex(columns=[*CELL, "seconds", *parts]).astype(dict.fromkeys(parts, float))
    total = known.groupby(CELL, sort=False).sum(skipna=False)
    tests = runs.groupby(CELL, sort=False)["testing"].mean(skipna=False)
    return total[parts].div(total["seconds"], axis=0).join(tests).reset_index()


def _whole_networks(evidence: Evidence) -> pd.DataFrame:
    """Images a second of each cell's network, none of it pruned away."""
    speed = evidence.speed
    whole = speed[speed["device"] == speed["device"].min()] if len(speed) else speed
    # A network with several heads has a row for all of them; any other has one head.
    whole = whole.sort_values("output", key=lambda output: output != "all", kind="stable").drop_duplicates(CELL)
    per_second = 1000 * whole["batch"].astype(float) / whole["median_ms"].astype(float)
    return whole[[*CELL, "device"]].assign(images_per_second=per_second)
