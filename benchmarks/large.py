"""Data larger than memory: volumes are generated, prepared and trained on; how much memory did it take?

    python benchmarks/large.py [--gigabytes 20] [--side 256] [--steps 30]

So many bytes of float32 volumes are generated as they are read, each a function of its number, and prepared as a data
set of files would be; then a U-Net (3D, plain encoder) trains on windows that are streamed from the prepared store, and
one volume is judged. Preparing and training have a process each, and the peak of its resident memory is printed, what
is mapped from files included. Needs half of the size in free disk space below --scratch.
"""

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import zoom

from nestbench.datasets import preparing as store
from nestbench.datasets.batches import training_batches
from nestbench.datasets.contract import About, Case, Sample
from nestbench.datasets.feed import feed
from nestbench.datasets.prepared import reopen
from nestbench.datasets.preparing import prepare
from nestbench.evaluate import judge
from nestbench.losses import bce_dice
from nestbench.machine import choose_plan
from nestbench.machine.memory import held
from nestbench.model import build
from nestbench.study.data import DatasetSpec
from nestbench.train import gradients, training_step

COARSE = 8


class Generated:
    """Volumes of smooth noise, in which what is brightest is the object."""

    classes = ("background", "bright")
    channels = 1
    dims = 3
    shares = (0.8, 0.1, 0.1)
    about = About("Generated volumes", "", "", "")

    def __init__(self, count: int, side: int) -> None:
        self._count, self._side = count, side

    def cases(self) -> tuple[Case, ...]:
        """As many as were asked for."""
        return tuple(Case(f"{n:04d}", f"{n:04d}") for n in range(self._count))

    def read(self, case: Case) -> Sample:
        """One volume, from coarse noise."""
        coarse = np.random.default_rng(int(case.id)).random((COARSE,) * 3, dtype=np.float32)
        image = zoom(coarse, self._side / COARSE, order=1)
        return Sample(1000 * image[..., None], (image > 0.7).astype(np.uint8), None, (1.0, 1.0, 1.0))

    def fingerprint(self) -> Any:
        """Number and side."""
        return [self._count, self._side]


def prepared_in(cache: Path, count: int, side: int) -> tuple[str, float, int]:
    """Folder, seconds and peak bytes of preparing."""
    store.open_dataset = lambda *_: Generated(count, side)  # type: ignore[assignment]
    start = time.perf_counter()
    made = prepare(DatasetSpec(name="generated", patch=32), Path(), cache)
    return str(made.folder), time.perf_counter() - start, held("cpu")


def trained_on(folder: Path, steps: int) -> tuple[int, int, int]:
    """Windows on the training side, and the peak bytes after training steps and after judging a volume."""
    plan = choose_plan("cpu", 1)
    plan.enter()
    prepared, spec = reopen(folder), DatasetSpec(name="generated", patch=32)
    data = feed(prepared, range(len(prepared.cases) - 1), spec, "cpu")
    torch.manual_seed(0)
    model = plan.place(build("unet", "plain:8", 3, dims=3)).train()
    optimiser, down = torch.optim.AdamW(model.parameters(), fused=True), gradients(model, bce_dice, plan)
    for (images, masks), _ in zip(training_batches(data, 4, 0, 0, augmented=True), range(steps), strict=False):
        training_step(down, optimiser, images, masks)
    after = held("cpu")
    last = len(prepared.cases) - 1
    list(judge(model, feed(prepared, [last], spec, "cpu"), [prepared.cases[last]], prepared.classes, plan, "test"))
    return len(data), after, held("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=20)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--scratch", type=Path)
    asked = parser.parse_args()
    count = max(3, round(asked.gigabytes * 1e9 / (4 * asked.side**3)))
    with tempfile.TemporaryDirectory(dir=asked.scratch) as cache:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            folder, seconds, peak = process.submit(prepared_in, Path(cache), count, asked.side).result()
        print(
            f"{count} volumes of {asked.side}^3 float32, {count * 4 * asked.side**3 / 1e9:.1f} GB, "
            f"prepared in {seconds:.0f} s"
        )
        print(f"preparing: {peak / 1e9:.2f} GB resident at the peak")
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            windows, trained, judged = process.submit(trained_on, Path(folder), asked.steps).result()
    print(
        f"training, {asked.steps} steps of 4 windows of 32^3 out of {windows}: {trained / 1e9:.2f} GB; "
        f"after judging a whole volume: {judged / 1e9:.2f} GB"
    )


if __name__ == "__main__":
    main()
