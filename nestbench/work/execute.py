"""One run as a stateless function of a job: train, test, and leave the files of its results."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from nestbench import plugins
from nestbench.datasets.feed import Feed, feed
from nestbench.datasets.prepared import Prepared, Truth, reopen
from nestbench.errors import MemoryExhaustedError, reason
from nestbench.find import outputs_of
from nestbench.machine import environment
from nestbench.machine.memory import growth
from nestbench.model import AnyNetwork, Detector, construct
from nestbench.results.atomic import sweep
from nestbench.results.lock import held
from nestbench.results.places import run_folder
from nestbench.results.records import CHECKPOINT, Epoch, Result, read_result, tidy, write_epochs, write_result
from nestbench.results.running import running
from nestbench.train import Keeper, Lesson, fit, masks_lesson, objects_lesson
from nestbench.work.diary import open_diary
from nestbench.work.job import Job, Stop, network_spec
from nestbench.work.judge import Judged, judge_instances, judge_masks

OnEpoch = Callable[[Epoch], bool]
"""Called after each epoch; True asks the run to end."""

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
            tidy(folder)
            return done
        sweep(folder)
        data = reopen(job.prepared)
        grown = growth(job.plan.device)
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
        # Where every step lies behind, in a process that was stopped, nothing of training was held here.
        memory = grown() if keeper.trained else None
        done = _judged(job, data, model, epochs, stopped, stop)
        return write_result(folder, replace(done, memory=memory))


def _network(job: Job, data: Prepared) -> AnyNetwork:
    spec = network_spec(job.run.cell, data)
    torch.manual_seed(job.run.seed)
    model = construct(spec, job.run.cell.pretrained)
    job.plan.place(model)
    return model


def _train(job: Job, data: Prepared, model: AnyNetwork, keeper: Keeper, on_epoch: OnEpoch) -> tuple[list[Epoch], str]:
    """Drive the epochs; they and the reason why they ended."""
    recipe = job.run.recipe
    epochs, asked = [], False
    fitting = fit(model, _lesson(job, data, model), keeper)
    for epoch in fitting:
        epochs.append(epoch)
        if on_epoch(epoch):
            asked = True
            fitting.close()
            break
    why = "stopper" if asked else "epochs" if len(epochs) == recipe.epochs else "patience"
    return epochs, why


def _lesson(job: Job, data: Prepared, model: AnyNetwork) -> Lesson:
    """What the network learns: the objects of its data, where it finds them itself, or else the classes of pixels."""
    recipe, seed, device = job.run.recipe, job.run.seed, job.plan.device

    def side(positions: tuple[int, ...]) -> Feed:
        truth: Truth = "instances" if isinstance(model, Detector) else "masks"
        return feed(data, positions, job.run.cell.dataset, device, truth=truth)

    training, validation = side(job.split.train), side(job.split.validation)
    if isinstance(model, Detector):
        return objects_lesson(training, validation, recipe, seed, job.plan, job.parts)
    loss = plugins.find_plain("loss", recipe.loss)
    return masks_lesson(training, validation, recipe, loss, seed, job.plan, job.parts)


def _judged(job: Job, data: Prepared, model: AnyNetwork, epochs: list[Epoch], stopped: str, stop: Stop) -> Result:
    """Write the run's files, and return its result."""
    folder = run_folder(job.folder, job.run)
    best = max((e for e in epochs if e.best), key=lambda e: e.index)
    write_epochs(folder, epochs)
    test = judge_instances if job.run.cell.task == "instance" else judge_masks
    judged, testing = Judged({}, {}), None
    if job.run.trial is None:
        began = time.perf_counter()
        judged = test(job, data, model, stop)
        testing = time.perf_counter() - began
    return Result(
        identity=job.identity,
        primary=outputs_of(model.spec)[-1] if job.run.cell.task == "instance" else model.spec.primary,
        validation=best.validation_iou,
        best_epoch=best.index,
        epochs=len(epochs),
        stopped=stopped,
        parameters=sum(p.numel() for p in model.parameters()),
        seconds=sum(e.seconds for e in epochs),
        parts=job.parts,
        scores=judged.scores,
        chosen=judged.chosen,
        environment=environment(job.plan),
        testing=testing,
    )


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
