import os
import socket
from pathlib import Path

import pytest

from nestbench.results.lock import held
from nestbench.results.places import run_folder
from nestbench.results.records import CHECKPOINT, Epoch, Result, write_failure, write_result
from nestbench.results.running import running
from nestbench.runner.status import RunStatus, seconds_left, study_status
from nestbench.study.schema import Study

STUDY = Study.model_validate(
    {
        "name": "s",
        "datasets": [{"name": "synthetic"}],
        "models": ["unet", "unet++"],
        "recipe": {"epochs": 10},
        "search": {"trials": 1, "space": {"batch": [4, 8]}},
        "seeds": 2,
    }
)
RESULT = Result({}, "L4", 0.8, 3, 7, "patience", 100, 20.0)


def folder_of(place, number):
    folder = run_folder(place, study_status(STUDY, place)[number].run)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_run_that_ends_while_it_is_looked_at_is_done(tmp_path, monkeypatch):
    folder = folder_of(tmp_path, 0)

    def ended(place: Path) -> None:
        if place == folder:
            write_result(folder, RESULT)

    monkeypatch.setattr("nestbench.runner.status.at_work", ended)  # looked at after the result
    assert [row.state for row in study_status(STUDY, tmp_path)][:2] == ["done", "waiting"]


def test_every_trial_and_seed_has_a_state(tmp_path):
    write_result(folder_of(tmp_path, 0), RESULT)
    write_failure(folder_of(tmp_path, 1), "the loss is not finite")
    (folder_of(tmp_path, 2) / CHECKPOINT).touch()
    with held(folder_of(tmp_path, 3)), running(folder_of(tmp_path, 3)) as beat:
        for index, value in enumerate((0.6, 0.5)):
            beat(Epoch(index, 1.0, 1.0, value, True, 1.5))
        rows = study_status(STUDY, tmp_path)
    assert [row.run.label for row in rows] == ["trial-000", "seed-0", "seed-1"] * 2
    assert [row.state for row in rows] == ["done", "failed", "stopped", "running", "waiting", "waiting"]
    assert rows[1].reason == "the loss is not finite"
    assert (rows[3].epochs, rows[3].validation, rows[3].seconds) == (2, 0.6, 3.0)
    assert rows[3].at_work.startswith(f"process {os.getpid()} on ")


def row(state, cell=0, seconds=0.0, epochs=0):
    run = study_status(STUDY, Path("nowhere"))[3 * cell].run
    return RunStatus(run, state, seconds=seconds, epochs=epochs)


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        ([row("waiting")], None),
        ([row("done", seconds=20.0), row("waiting"), row("failed")], 40.0),
        (
            [row("done", seconds=20.0), row("running", seconds=5.0, epochs=1), row("running", seconds=15.0, epochs=3)],
            10.0,
        ),
        ([row("running", seconds=4.0, epochs=2)], 16.0),  # 10 epochs at most
        ([row("done", 0, 10.0), row("done", 1, 30.0), row("waiting", 1)], 30.0),  # as its own cell's
        ([row("done", seconds=5.0), row("running", seconds=9.0, epochs=9)], 0.0),
    ],
)
def test_what_is_left_is_judged_by_what_is_done(rows, left, tmp_path):
    assert seconds_left(rows) == left


def test_a_run_whose_process_is_gone_is_not_at_work_on_whatever_host_it_was(tmp_path):
    folder = folder_of(tmp_path, 0)
    with held(folder), running(folder):
        mark = (folder / "running.json").read_text()
    (folder / "running.json").write_text(mark.replace(socket.gethostname(), "another"))
    assert study_status(STUDY, tmp_path)[0].state == "waiting"
