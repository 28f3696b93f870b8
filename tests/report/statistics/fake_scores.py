"""Scores and differences of networks that nobody trained."""

import numpy as np
import pandas as pd


def simulated(rounds: int, seeds: int, subjects: int, by_seed: float, by_subject: float) -> np.ndarray:
    """Differences (rounds, seeds, subjects) around zero; the rest has the standard deviation 1."""
    draw = np.random.default_rng(7)
    return (
        draw.normal(0, by_seed, (rounds, seeds, 1))
        + draw.normal(0, by_subject, (rounds, 1, subjects))
        + draw.normal(0, 1, (rounds, seeds, subjects))
    )


def scores(
    gains: dict[str, float], seeds: int = 4, subjects: int = 30, dataset: str = "d", noise: float = 0.01
) -> pd.DataFrame:
    """Case scores of members that differ by their gains and by a little noise."""
    draw = np.random.default_rng(3)
    case = draw.normal(0.8, 0.05, subjects)
    tables = []
    for model, gain in gains.items():
        for seed in range(seeds):
            iou = case + gain + draw.normal(0, noise / 5) + draw.normal(0, noise, subjects)
            names = [f"s{i}" for i in range(subjects)]
            tables.append(pd.DataFrame({"model": model, "seed": seed, "case": names, "subject": names, "iou": iou}))
    return pd.concat(tables, ignore_index=True).assign(dataset=dataset, encoder="e")


def heads(gains: dict[str, float], model: str = "unet++ds", split: str = "test", **changes: float) -> pd.DataFrame:
    """Case scores of the outputs of one member, whose gains are given by output."""
    table = scores(gains, **changes)  # type: ignore[arg-type]
    return table.rename(columns={"model": "output"}).assign(model=model, split=split)
