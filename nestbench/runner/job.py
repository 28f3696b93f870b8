"""One run as a stateless function of a job: what a worker process, here or elsewhere, is asked to do."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from nestbench import plugins
from nestbench.datasets.contract import Dataset
from nestbench.datasets.feed import feed
from nestbench.datasets.open import seen_dims
from nestbench.datasets.prepared import Prepared, reopen
from nestbench.datasets.splits import Split
from nestbench.evaluate import judge
from nestbench.machine import Plan, environment
from nestbench.model import AnyNetwork, Spec, construct, save
from nestbench.model.build import specify
from nestbench.model.files import Use
from nestbench.results.predictions import writing_predictions
from nestbench.results.reading import hashed
from nestbench.results.records import Epoch, Result, fingerprint, run_folder, write_cases, write_epochs, write_result
from nestbench.results.running import running
from nestbench.results.scores import mean_scores
from nestbench.study.schema import Cell, Run
from nestbench.train import fit

OnEpoch = Callable[[Epoch], bool]
"""Called after each epoch; True asks the run to stop."""


@dataclass(frozen=True)
class Job:
    """A run and all it needs: where its data are prepared, their split, the plan, and the folder of the study."""

    run: Run
    prepared: Path
    content: str
    split: Split
    plan: Plan
    folder: Path

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides the outcome. The processor's name does not: results travel."""
        plan = asdict(self.plan)
        start = self.run.cell.pretrained
        return {
            "run": self.run.model_dump(mode="json"),
            "data": self.content,
            "split": fingerprint(asdict(self.split)),
            "plan": {key: plan[key] for key in ("device", "precision", "memory_format")},
        } | ({"weights": hashed(start)} if isinstance(start, str) else {})


def execute(job: Job, on_epoch: OnEpoch) -> Result:
    """Train and test one network, write its files, and return its result.

    A search's trial is never shown the test cases. Raises RunError where training cannot go on.
    """
    job.plan.enter()
    data = reopen(job.prepared)
    model = _network(job, data)
    folder = run_folder(job.folder, job.run)
    folder.mkdir(parents=True, exist_ok=True)
    with running(folder) as beat:
        epochs, stopped = _train(job, data, model, beat, on_epoch)
    best = max((e for e in epochs if e.best), key=lambda e: e.index)
    write_epochs(folder, epochs)
    scores = {} if job.run.trial is not None else _test(job, data, model, folder)
    result = Result(
        identity=job.identity,
        primary=model.spec.primary,
        validation=best.validation_iou,
        best_epoch=best.index,
        epochs=len(epochs),
        stopped=stopped,
        parameters=sum(p.numel() for p in model.parameters()),
        seconds=sum(e.seconds for e in epochs),
        scores=scores,
        environment=environment(job.plan),
    )
    write_result(folder, result)
    return result


def network_spec(cell: Cell, data: Dataset | Prepared) -> Spec:
    """The network of a cell for the channels and classes of a data set; two classes are one logit."""
    logits = 1 if len(data.classes) == 2 else len(data.classes)
    dims = seen_dims(cell.dataset, data.dims)
    return specify(cell.model, cell.encoder, cell.depth, cell.block, data.channels, logits, dims)


def _network(job: Job, data: Prepared) -> AnyNetwork:
    spec = network_spec(job.run.cell, data)
    torch.manual_seed(job.run.seed)
    model = construct(spec, job.run.cell.pretrained)
    job.plan.place(model)
    return model


def _train(
    job: Job, data: Prepared, model: AnyNetwork, beat: Callable[[Epoch], None], on_epoch: OnEpoch
) -> tuple[list[Epoch], str]:
    """Drive the epochs; they and the reason why they ended."""
    recipe = job.run.recipe
    loss = plugins.find_plain("loss", recipe.loss)
    training, validation = (
        feed(data, side, job.run.cell.dataset, job.plan.device) for side in (job.split.train, job.split.validation)
    )
    epochs, asked = [], False
    fitting = fit(model, training, validation, recipe, loss, job.run.seed, job.plan)
    for epoch in fitting:
        epochs.append(epoch)
        beat(epoch)
        if on_epoch(epoch):
            asked = True
            fitting.close()
            break
    reason = "stopper" if asked else "epochs" if len(epochs) == recipe.epochs else "patience"
    return epochs, reason


def _test(job: Job, data: Prepared, model: AnyNetwork, folder: Path) -> dict[str, dict[str, float]]:
    """Open the test cases, once: write counts, predictions and weights, and return the mean scores."""
    spec = job.run.cell.dataset
    tables = []
    with writing_predictions(folder) as write:
        for split, side in (("validation", job.split.validation), ("test", job.split.test)):
            cases = [data.cases[i] for i in side]
            judged = judge(model, feed(data, side, spec, job.plan.device), cases, data.classes, job.plan, split)
            for case, one in zip(cases, judged, strict=True):
                tables.append(one.counts)
                if split == "test":
                    write(case.id, one.mask)
    counts = pd.concat(tables, ignore_index=True)
    write_cases(folder, counts)
    view = {key: getattr(spec, key) for key in ("size", "patch", "window", "percentiles", "spacing")}
    save(model, folder / "weights.safetensors", Use(classes=data.classes, **view))
    return mean_scores(counts, "test")
