"""The test cases of a run, opened once: counts, predictions and weights are written, and mean scores returned."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Any, NamedTuple

import pandas as pd

from nestbench.datasets.feed import feed
from nestbench.datasets.prepared import Prepared
from nestbench.errors import StoppedError
from nestbench.evaluate import judge
from nestbench.find import judge_objects, outputs_of, settle
from nestbench.instances.ways import Way
from nestbench.model import AnyNetwork, save
from nestbench.model.files import Use
from nestbench.results import instance_scores
from nestbench.results.instance_tables import write_instances
from nestbench.results.places import run_folder
from nestbench.results.predictions import writing_predictions
from nestbench.results.records import WEIGHTS, write_cases
from nestbench.results.scores import mean_scores
from nestbench.work.job import Job, Stop


class Judged(NamedTuple):
    """What a result says of the test (``results.records.Result``)."""

    scores: dict[str, dict[str, float]]
    chosen: dict[str, dict[str, Any]]


def judge_masks(job: Job, data: Prepared, model: AnyNetwork, stop: Stop) -> Judged:
    """Judge the classes of pixels of each output; raises StoppedError where the run is to stop."""
    folder, spec = run_folder(job.folder, job.run), job.run.cell.dataset
    tables = []
    with writing_predictions(folder) as write:
        for split, side in _sides(job):
            cases = [data.cases[i] for i in side]
            judged = judge(model, feed(data, side, spec, job.plan.device), cases, data.classes, job.plan, split)
            for case, one in zip(cases, judged, strict=True):
                _heed(stop)
                tables.append(one.counts)
                if split == "test":
                    write(case.id, one.mask, one.others)
    counts = pd.concat(tables, ignore_index=True)
    write_cases(folder, counts)
    _keep(job, data, model)
    return Judged(mean_scores(counts, "test"), {})


def judge_instances(job: Job, data: Prepared, model: AnyNetwork, stop: Stop) -> Judged:
    """Judge the objects of each output; raises StoppedError where the run is to stop."""
    folder, spec = run_folder(job.folder, job.run), job.run.cell.dataset
    feeds = {split: feed(data, side, spec, job.plan.device, truth="instances") for split, side in _sides(job)}
    ways = settle(model, feeds["validation"], job.plan, partial(_heed, stop))
    tables = []
    with writing_predictions(folder) as write:
        for split, side in _sides(job):
            cases = [data.cases[i] for i in side]
            judged = judge_objects(model, ways, feeds[split], cases, job.plan, split)
            for case, one in zip(cases, judged, strict=True):
                _heed(stop)
                tables.append(one.counts)
                if split == "test":
                    write(case.id, one.labels[None])
    counts = instance_scores.joined(tables)
    write_instances(folder, counts)
    _keep(job, data, model, ways[outputs_of(model.spec)[-1]])
    chosen = {output: asdict(way) for output, way in ways.items()}
    return Judged(instance_scores.mean_scores(counts, "test"), chosen)


def _sides(job: Job) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "validation", job.split.validation
    yield "test", job.split.test


def _heed(stop: Stop) -> None:
    if stop():
        raise StoppedError("stopped while it was tested; it goes on from its checkpoint")


def _keep(job: Job, data: Prepared, model: AnyNetwork, apart: Way | None = None) -> None:
    spec = job.run.cell.dataset
    view = {key: getattr(spec, key) for key in ("size", "patch", "window", "percentiles", "spacing")}
    about = Use(classes=data.classes, marks=data.marks, apart=apart, **view)
    save(model, run_folder(job.folder, job.run) / WEIGHTS, about)
