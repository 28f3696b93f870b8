"""What is tried again: a run that did not fit in memory, or whose process is gone."""

from collections import Counter
from dataclasses import replace

from nestbench.results.places import run_folder
from nestbench.results.records import Result, read_result
from nestbench.study.schema import Run
from nestbench.work.job import Job
from nestbench.work.messages import Ended


class Attempts:
    """The jobs that were handed out, and how often each was lost."""

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._jobs: dict[Run, Job] = {}
        self._lost: Counter[Run] = Counter()

    def note(self, job: Job) -> None:
        """A job is handed out."""
        self._jobs[job.run] = job

    def left(self, run: Run) -> Result | None:
        """What a run left behind before it was lost, where that is its result: it is done, and is not done twice."""
        return read_result(run_folder(self._jobs[run].folder, run))

    def again(self, end: Ended) -> Job | None:
        """The job to try instead, or None where a run's end is final.

        A run that needs too much memory passes its batches in twice as many parts, down to two images each. One that
        was lost goes on from its checkpoint, so many times.
        """
        job = self._jobs.pop(end.run)
        if end.kind == "memory" and job.parts * 4 <= end.run.recipe.batch:
            return replace(job, parts=job.parts * 2)
        if end.kind == "lost" and self._lost[end.run] < self._retries:
            self._lost[end.run] += 1
            return job
        return None
