import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from seen_gpu import see_gpu

from nestbench.datasets.preparing import prepare
from nestbench.datasets.splits import split_cases
from nestbench.errors import RunError
from nestbench.machine import Plan
from nestbench.results.places import run_folder
from nestbench.results.records import read_cases, read_epochs, read_result
from nestbench.runner.status import study_status
from nestbench.study.schema import Study
from nestbench.work.job import Job
from nestbench.work.messages import Began, Ended, Reported
from nestbench.work.workers import open_workers

PLAN = Plan("cpu", "float32", "contiguous", 1)
STUDY = Study.model_validate(
    {
        "name": "s",
        "datasets": [{"name": "synthetic", "size": 16, "cases": 12}],
        "encoders": ["plain:2"],
        "models": ["unet++ds"],
        "depth": 2,
        "recipe": {"epochs": 3, "batch": 4},
        "seeds": 2,
    }
)


def job_in(folder: Path, seed: int = 0) -> Job:
    (cell,) = STUDY.cells()
    prepared = prepare(cell.dataset, folder, folder / "cache")
    run = next(s.run for s in study_status(STUDY, folder) if s.run.seed == seed)
    split = split_cases(prepared.cases, prepared.shares)
    return Job(run, prepared.folder, prepared.content, split, PLAN, folder)


def drive(crew, stop_after=99):
    """Answer messages until nothing is in flight; all of them."""
    heard = []
    while crew.busy:
        if (message := crew.next()) is None:
            continue
        heard.append(message)
        if isinstance(heard[-1], Reported):
            crew.reply(heard[-1].run, heard[-1].epoch.index + 1 >= stop_after)
    return heard


def test_a_run_says_what_it_does_and_leaves_its_files(tmp_path):
    job = job_in(tmp_path)
    with open_workers(1) as crew:
        crew.start(job)
        assert crew.free == 0
        heard = drive(crew)
    assert [type(m) for m in heard] == [Began, Reported, Reported, Reported, Ended]
    folder = run_folder(tmp_path, job.run)
    assert read_result(folder) == heard[-1].result
    assert [e.index for e in read_epochs(folder)] == [0, 1, 2]
    assert set(read_cases(folder)["split"]) == {"validation", "test"}
    assert {p.name for p in folder.iterdir()} == {
        "result.json",
        "cases.parquet",
        "epochs.jsonl",
        "predictions.npz",
        "weights.safetensors",
        "run.log",
        ".lock",
    }
    assert study_status(STUDY, tmp_path)[0].state == "done"


def test_a_run_that_is_told_to_stop_ends_after_its_epoch(tmp_path):
    with open_workers(1) as crew:
        crew.start(job_in(tmp_path))
        result = drive(crew, stop_after=1)[-1].result
    assert (result.epochs, result.stopped) == (1, "stopper")


def began_in(crew):
    """The first message: a run has begun."""
    while (message := crew.next()) is None:
        pass
    assert isinstance(message, Began)
    return message


def test_a_process_that_dies_loses_its_run_and_no_other(tmp_path):
    with open_workers(2) as crew:
        for seed in range(2):
            crew.start(job_in(tmp_path, seed))
        killed = began_in(crew)
        os.kill(killed.process, signal.SIGKILL)
        ends = {m.run: m for m in drive(crew) if isinstance(m, Ended)}
        lost = ends.pop(killed.run)
        assert (lost.result, lost.kind) == (None, "lost")
        assert "its process died" in lost.reason
        assert all(end.result for end in ends.values())
        crew.start(job_in(tmp_path, killed.run.seed))
        assert drive(crew)[-1].result is not None


def test_a_run_that_is_killed_is_lost(tmp_path):
    with open_workers(1) as crew:
        crew.start(job_in(tmp_path))
        crew.kill(began_in(crew).run)
        assert drive(crew)[-1].kind == "lost"


def test_a_run_that_hangs_before_it_says_that_it_began_can_be_killed(tmp_path):
    job = job_in(tmp_path)
    with open_workers(1) as crew:
        crew.start(job)
        crew.kill(job.run)
        assert [message.kind for message in drive(crew)] == ["lost"]


def weights_of(job):
    return (run_folder(job.folder, job.run) / "weights.safetensors").read_bytes()


def test_a_run_that_is_stopped_goes_on_and_ends_with_the_same_weights(tmp_path):
    whole, parted = job_in(tmp_path / "whole"), job_in(tmp_path / "parted")
    with open_workers(1) as crew:
        crew.start(whole)
        drive(crew)
    with open_workers(1) as crew:
        crew.start(parted)
        began_in(crew)
        crew.stop()
        assert drive(crew)[-1].kind == "stopped"
    assert (run_folder(parted.folder, parted.run) / "checkpoint.safetensors").exists()
    assert read_result(run_folder(parted.folder, parted.run)) is None
    with open_workers(1) as crew:
        crew.start(parted)
        assert drive(crew)[-1].result is not None
    assert weights_of(parted) == weights_of(whole)
    assert not (run_folder(parted.folder, parted.run) / "checkpoint.safetensors").exists()
    log = (run_folder(parted.folder, parted.run) / "run.log").read_text()
    assert log.index("stopped") < log.index("epoch 3") < log.index("done")


def test_a_run_that_begins_while_all_stop_stops_too(tmp_path):
    with open_workers(1) as crew:
        crew.start(job_in(tmp_path))
        crew.stop()  # before its process is known
        assert drive(crew)[-1].kind == "stopped"


def test_a_run_that_cannot_read_its_data_says_why(tmp_path):
    job = job_in(tmp_path)
    (job.prepared / "images.bin").unlink()
    with open_workers(1) as crew:
        crew.start(job)
        assert "gone or damaged" in drive(crew)[-1].reason


def test_that_nobody_carries_the_messages_any_more_is_said(tmp_path):
    job = job_in(tmp_path)
    with open_workers(1, see_gpu) as crew:
        *_, carrier = (one for one in multiprocessing.active_children() if one.name.startswith("SyncManager"))
        carrier.kill()
        carrier.join()
        for ask in (crew.next, lambda: crew.start(job)):
            with pytest.raises(RunError, match="carries the runs' messages is gone"):
                ask()


def test_workers_are_dealt_out_over_the_gpus_and_keep_theirs_when_they_are_killed(tmp_path):
    jobs = [job_in(tmp_path, seed) for seed in range(2)]

    def seen(crew):
        return {m.run.seed: m.result.environment["gpu"] for m in drive(crew) if isinstance(m, Ended)}

    with open_workers(2, see_gpu, gpus=("GPU-a", "GPU-b")) as crew:
        for job in jobs:
            crew.start(job)
        assert seen(crew) == {0: "GPU-a", 1: "GPU-b"}
    with open_workers(1, see_gpu, gpus=("GPU-a", "GPU-b")) as crew:
        crew.start(jobs[0])
        os.kill(began_in(crew).process, signal.SIGKILL)
        assert drive(crew)[-1].kind == "lost"
        crew.start(jobs[0])
        assert seen(crew) == {0: "GPU-a"}


@pytest.mark.parametrize("count", [2])
def test_so_many_runs_are_in_flight_at_once(tmp_path, count):
    with open_workers(count) as crew:
        for seed in range(count):
            crew.start(job_in(tmp_path, seed))
        assert crew.free == 0
        results = [m.result for m in drive(crew) if isinstance(m, Ended)]
    assert len(results) == count
    assert all(results)
