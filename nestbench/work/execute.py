"""One run as a stateless function of a job: train, test, and leave the files of its results."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pandas as pd
import torch

from nestbench import plugins
from nestbench.datasets.feed import feed
from nestbench.datasets.prepared import Prepared, reopen
from nestbench.errors import MemoryExhaustedError, StoppedError, reason
from nestbench.evaluate import judge
from nestbench.machine import environment
from nestbench.model import AnyNetwork, construct, save
from nestbench.model.files import Use
from nestbench.results.atomic import sweep
from nestbench.results.lock import held
from nestbench.results.places import run_folder
from nestbench.results.predictions import writing_predictions
from nestbench.results.records import CHECKPOINT, Epoch, Result, read_result, write_cases, write_epochs, write_result
from nestbench.results.running import running
from nestbench.results.scores import mean_scores
from nestbench.train import Keeper, fit, masks_lesson
from nestbench.work.diary import open_diary
from nestbench.work.job import Job, network_spec

OnEpoch = Callable[[Epoch], bool]
"""Called after each epoch; True asks the run to end."""

Stop = Callable[[], bool]
"""Whether the run is to write its checkpoint and let go."""

Do = Callable[[Job, OnEpoch, Stop], Result]
"""Does a run and leaves its result, as ``execute`` does."""


def execute(job: Job, on_epoch: OnEpoch, stop: Stop) -> Result:
    """Train and test one network, write its files, and return its result.

    It goes on from its checkpoint where it was stopped before; the epochs that lie behind come to ``on_epoch`` again. A
    search's trial is never shown the test cases.
    Raises RunError where training cannot go on, StoppedError where it was asked to stop.
    """
    job.plan.enter()
    folder = run_folder(job.folder, job.run)
    with held(folder), open_diary(folder, job) as diary, _naming_memory(), running(folder) as beat:
        if (done := read_result(folder)) is not None:  # by who held the folder before
            return done
        sweep(folder)
        data = reopen(job.prepared)
        model = _network(job, data)
        keeper = Keeper(
            folder / CHECKPOINT,
            job.identity | {"parts": job.parts, "threads": job.plan.threads},
            stop,
            diary.line,
            job.every,
        )

        def heard(epoch: Epoch) -> bool:
            beat(epoch)
            diary.epoch(epoch)
            return on_epoch(epoch)

        epochs, stopped = _train(job, data, model, keeper, heard)
        result = write_result(folder, _judged(job, data, model, epochs, stopped, stop))
        keeper.discard()
    return result


def _network(job: Job, data: Prepared) -> AnyNetwork:
    spec = network_spec(job.run.cell, data)
    torch.manual_seed(job.run.seed)
    model = construct(spec, job.run.cell.pretrained)
    job.plan.place(model)
    return model


def _train(job: Job, data: Prepared, model: AnyNetwork, keeper: Keeper, on_epoch: OnEpoch) -> tuple[list[Epoch], str]:
    """Drive the epochs; they and the reason why they ended."""
    recipe = job.run.recipe
    training, validation = (
        feed(data, side, job.run.cell.dataset, job.plan.device) for side in (job.split.train, job.split.validation)
    )
    loss = plugins.find_plain("loss", recipe.loss)
    lesson = masks_lesson(training, validation, recipe, loss, job.run.seed, job.plan, job.parts)
    epochs, asked = [], False
    fitting = fit(model, lesson, keeper)
    for epoch in fitting:
        epochs.append(epoch)
        if on_epoch(epoch):
            asked = True
            fitting.close()
            break
    why = "stopper" if asked else "epochs" if len(epochs) == recipe.epochs else "patience"
    return epochs, why


def _judged(job: Job, data: Prepared, model: AnyNetwork, epochs: list[Epoch], stopped: str, stop: Stop) -> Result:
    """Write the run's files, and return its result."""
    folder = run_folder(job.folder, job.run)
    best = max((e for e in epochs if e.best), key=lambda e: e.index)
    write_epochs(folder, epochs)
    scores = {} if job.run.trial is not None else _test(job, data, model, stop)
    return Result(
        identity=job.identity,
        primary=model.spec.primary,
        validation=best.validation_iou,
        best_epoch=best.index,
        epochs=len(epochs),
        stopped=stopped,
        parameters=sum(p.numel() for p in model.parameters()),
        seconds=sum(e.seconds for e in epochs),
        parts=job.parts,
        scores=scores,
        environment=environment(job.plan),
    )


def _test(job: Job, data: Prepared, model: AnyNetwork, stop: Stop) -> dict[str, dict[str, float]]:
    """Open the test cases, once: write counts, predictions and weights, and return the mean scores."""
    folder, spec = run_folder(job.folder, job.run), job.run.cell.dataset
    tables = []
    with writing_predictions(folder) as write:
        for split, side in (("validation", job.split.validation), ("test", job.split.test)):
            cases = [data.cases[i] for i in side]
            judged = judge(model, feed(data, side, spec, job.plan.device), cases, data.classes, job.plan, split)
            for case, one in zip(cases, judged, strict=True):
                if stop():
                    raise StoppedError("stopped while it was tested; it goes on from its checkpoint")
                tables.append(one.counts)
                if split == "test":
                    write(case.id, one.mask)
    counts = pd.concat(tables, ignore_index=True)
    write_cases(folder, counts)
    view = {key: getattr(spec, key) for key in ("size", "patch", "window", "percentiles", "spacing")}
    save(model, folder / "weights.safetensors", Use(classes=data.classes, marks=data.marks, **view))
    return mean_scores(counts, "test")


@contextmanager
def _naming_memory() -> Iterator[None]:
    """Tell memory that did not suffice from other failures, and let go of what was held."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # torch has an error of its own for a GPU's memory alone.
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        said = reason(error)
    else:
        return
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise MemoryExhaustedError(f"it needs more memory than there is ({said})")
