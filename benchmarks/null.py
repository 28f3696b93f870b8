"""A run that trains nothing, and leaves the files of a search's trial; processes import it by its name."""

import os

import numpy as np

from nestbench.results.lock import held
from nestbench.results.places import run_folder
from nestbench.results.records import Epoch, Result, write_epochs, write_result
from nestbench.results.running import running
from nestbench.work.execute import OnEpoch, Stop
from nestbench.work.job import Job


def do_nothing(job: Job, on_epoch: OnEpoch, stop: Stop) -> Result:
    """Say every epoch, mark it, and write the result: all that ``execute`` does but training and tests."""
    folder = run_folder(job.folder, job.run)
    draw = np.random.default_rng([job.run.seed, job.run.trial or 0])
    epochs: list[Epoch] = []
    with held(folder), running(folder) as beat:
        for index in range(job.run.recipe.epochs):
            epochs.append(Epoch(index, 1.0, 1.0, float(draw.uniform(0.5, 0.9)), index == 0, 0.0))
            beat(epochs[-1])
            if on_epoch(epochs[-1]) or stop():
                break
        write_epochs(folder, epochs)
        said = {"environment": {"process": os.getpid()}}
        best = epochs[0].validation_iou
        return write_result(folder, Result(job.identity, "L1", best, 0, len(epochs), "epochs", 1, 0.0, **said))
