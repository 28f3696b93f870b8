"""How many runs an hour one GPU makes when several share it, against one at a time.

    python benchmarks/packed.py STUDY [--data DIR] [--workers 4 8] [--seeds 4] [--each 2] [--mps]

Runs the first cell of a study file by the machinery of `nestbench study run`: so many seeds with one worker, and for
each number of workers that many runs times `--each`. Counted is the time from the first run's start to the last one's
end, the start of the workers' processes, tests and files included; data and calibration lie in the cache. With `--mps`
the workers share the GPU by NVIDIA's multi-process service, which this starts and ends: without it the GPU takes turns
between processes, and small kernels of two runs never run side by side.
"""

import os
import subprocess
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from asked import answer, count, options

from nestbench.datasets.open import cache_root, data_root
from nestbench.errors import RequestError, RunError
from nestbench.machine import choose_plan, device_name
from nestbench.runner.data import ready_data
from nestbench.runner.events import Failed, Finished, Started
from nestbench.runner.means import Means
from nestbench.runner.study import run_study
from nestbench.runner.told import answer_of
from nestbench.study.files import read_study
from nestbench.study.schema import Study

MPS = "nvidia-cuda-mps-control"


def pace(study: Study, asked: Namespace, workers: int, seeds: int) -> float:
    """Runs an hour with so many workers."""
    means = Means(data_root(asked.data), cache_root(), workers, asked.device)
    begun, ended = 0.0, []
    with TemporaryDirectory() as folder:
        for event in run_study(study.model_copy(update={"seeds": seeds}), Path(folder) / "study", means):
            if isinstance(event, Started):
                begun = begun or time.perf_counter()
            elif isinstance(event, Failed):
                raise RunError(f"a run failed: {event.reason}")
            elif isinstance(event, Finished):
                ended.append(time.perf_counter())
                if len(ended) == seeds:  # networks are timed after that, which is no run
                    break
    return 3600 * seeds / (ended[-1] - begun)


@contextmanager
def service() -> Iterator[None]:
    """The multi-process service, for processes that start meanwhile.

    Raises RequestError where it is not installed, or does not start.
    """
    with TemporaryDirectory() as folder:
        os.environ |= {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        try:
            subprocess.run([MPS, "-d"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise RequestError(f"{MPS} does not start here: {error}") from error
        try:
            yield
        finally:
            subprocess.run([MPS], input=b"quit\n", check=False, capture_output=True)
            for name in ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"):
                del os.environ[name]


def main() -> None:
    parser = options(__doc__, "where the study's data lie", seeds=4, each=2)
    parser.add_argument("study", type=Path)
    parser.add_argument("--workers", type=count, nargs="+", default=(4, 8))
    parser.add_argument("--mps", action="store_true", help="by NVIDIA's multi-process service")
    asked = parser.parse_args()
    study = read_study(asked.study)
    study = study.model_copy(update={"models": study.models[:1], "encoders": study.encoders[:1]})
    answer_of(ready_data(study, data_root(asked.data), cache_root()))
    for workers in (1, *asked.workers):
        choose_plan(asked.device, workers, "auto", cache_root())
    print(f"{device_name(asked.device)}, {next(study.cells())}, {study.recipe.epochs} epochs of a run", flush=True)
    alone = pace(study, asked, 1, asked.seeds)
    print(f"one at a time: {alone:,.0f} runs an hour", flush=True)
    with service() if asked.mps else nullcontext():
        for workers in asked.workers:
            together = pace(study, asked, workers, asked.each * workers)
            how = " by the multi-process service" * asked.mps
            print(f"{workers} share the GPU{how}: {together / alone:.2f} times as many", flush=True)


if __name__ == "__main__":
    answer(main)
