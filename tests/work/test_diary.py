from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from nestbench.datasets.splits import Split
from nestbench.errors import RunError
from nestbench.machine import Plan
from nestbench.results.records import Epoch
from nestbench.study.schema import Run, Study
from nestbench.work.diary import open_diary
from nestbench.work.job import Job

(CELL,) = Study.model_validate({"name": "s", "datasets": [{"name": "synthetic"}], "models": ["unet"]}).cells()
JOB = Job(
    Run(cell=CELL, recipe={}, seed=0),
    Path("there"),
    "content",
    Split((0,), (1,), (2,)),
    Plan("cpu", "float32", "contiguous", 1),
    Path("results"),
)


def epoch(index, loss=0.5):
    return Epoch(index, loss, 0.6, 0.7, index == 0, 1.25, feeding=0.25)


def test_the_log_says_who_works_on_what_and_how_it_goes(tmp_path):
    with open_diary(tmp_path, JOB) as diary:
        diary.line("the checkpoint is damaged")
        diary.epoch(epoch(0))
        diary.epoch(epoch(1))
    first, note, one, two, last = (tmp_path / "run.log").read_text().splitlines()
    assert "synthetic / timm:resnet18 / unet / seed-0: process" in first
    assert note.endswith("the checkpoint is damaged")
    assert one.endswith("epoch 1: loss 0.5000, on validation 0.6000, IoU 0.7000, the best so far, 1.2 s")
    assert "the best" not in two
    assert last.endswith("done")


@pytest.mark.parametrize(
    ("error", "words"),
    [(RunError("the loss became nan"), "ended: the loss became nan"), (OSError(5, "broken"), "Traceback")],
)
def test_a_second_start_goes_on_below_what_ended_the_first(tmp_path, error, words):
    with pytest.raises(type(error)), open_diary(tmp_path, JOB):
        raise error
    with open_diary(tmp_path, JOB):
        pass
    log = (tmp_path / "run.log").read_text()
    assert log.index(words) < log.index("done")
    assert log.count("process") == 2


def test_tensorboard_sees_each_epoch_once_though_a_second_start_says_it_again(tmp_path):
    asked = Job(**{**vars(JOB), "tensorboard": True})
    for epochs in (1, 3):
        with open_diary(tmp_path, asked) as diary:
            for index in range(epochs):
                diary.epoch(epoch(index, loss=0.5 + epochs))
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("train_loss")] == [(1, 3.5), (2, 3.5), (3, 3.5)]
    known = {"train_loss", "validation_loss", "validation_iou", "seconds", "feeding"}  # not what an epoch does not say
    assert set(events.Tags()["scalars"]) == known
