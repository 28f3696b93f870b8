"""A run that only says which GPU its process sees; processes import it by its name."""

import os

from nestbench.results.records import Epoch, Result


def see_gpu(job, on_epoch, stop):
    on_epoch(Epoch(0, 1.0, 1.0, 0.5, True, 1.0))
    seen = {"gpu": os.environ["CUDA_VISIBLE_DEVICES"]}
    return Result(job.identity, "L1", 0.5, 0, 1, "epochs", 1, 1.0, environment=seen)
