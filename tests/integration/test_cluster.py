"""Runs on real nodes of Ray, several of them on this machine, each with a CPU of its own in name."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.servers import cluster, node
from nestbench.cluster.crew import open_cluster
from nestbench.datasets.preparing import prepare
from nestbench.datasets.splits import split_cases
from nestbench.errors import RequestError
from nestbench.machine import Plan
from nestbench.results.lock import held
from nestbench.results.places import run_folder
from nestbench.results.reading import hashed
from nestbench.results.records import read_result
from nestbench.study.schema import Run, Study
from nestbench.work.job import Job
from nestbench.work.messages import Began, Ended, Reported
from nestbench.work.workers import open_workers

pytest.importorskip("ray", reason="Ray is not installed: pip install 'nestbench[cluster]'")

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


@pytest.fixture(scope="module")
def nodes():
    """A cluster whose head, where the tests run, and whose one other node have room for a run each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")  # beside other tests the nodes would starve
        with cluster(1, 1) as nodes:
            yield nodes


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    (cell,) = STUDY.cells()
    folder = tmp_path_factory.mktemp("data")
    return prepare(cell.dataset, folder, folder / "cache")


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """Weights of the study's runs by processes of this machine that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    jobs = jobs_in(folder, data)
    with open_workers(1) as crew:
        for job in jobs:
            crew.start(job)
            drive(crew)
    return weights(jobs)


def jobs_in(folder: Path, data) -> list[Job]:
    (cell,) = STUDY.cells()
    split = split_cases(data.cases, data.shares)
    runs = [Run(cell=cell, recipe=STUDY.recipe, seed=seed) for seed in range(STUDY.seeds)]
    return [Job(run, data.folder, data.content, split, PLAN, folder) for run in runs]


def weights(jobs):
    return [hashed(run_folder(job.folder, job.run) / "weights.safetensors") for job in jobs]


def drive(crew):
    """Answer messages until nothing is in flight; all of them."""
    heard = []
    while crew.busy:
        message = crew.next()
        if isinstance(message, Reported):
            crew.reply(message.run, False)
        heard += [message] if message else []
    return heard


def until_all_wait(crew, count):
    """Hear messages until so many runs wait for an answer; their processes, and the runs that wait."""
    processes, waiting = {}, []
    while len(waiting) < count:
        message = crew.next()
        assert not isinstance(message, Ended), message
        if isinstance(message, Began):
            processes[message.run] = message.process
        elif isinstance(message, Reported):
            waiting.append(message.run)
    return processes, waiting


def go_on(crew, waiting):
    """Answer those who wait, and drive to the end; how each run ended."""
    for run in waiting:
        crew.reply(run, False)
    return {m.run: m for m in drive(crew) if isinstance(m, Ended)}


@contextmanager
def crew_of(nodes, folder, data):
    folder.mkdir(exist_ok=True)
    with open_cluster(nodes.address, PLAN, (folder, data.folder)) as crew:
        yield crew


def finish(nodes, jobs, data):
    """Do what has no result yet; how each of these runs ended."""
    with crew_of(nodes, jobs[0].folder, data) as crew:
        for job in jobs:
            if read_result(run_folder(job.folder, job.run)) is None:
                crew.start(job)
        return {m.run: m for m in drive(crew) if isinstance(m, Ended)}


def test_nodes_do_what_processes_of_this_machine_do(nodes, data, whole, tmp_path):
    handler = signal.getsignal(signal.SIGTERM)
    jobs = jobs_in(tmp_path, data)
    with crew_of(nodes, tmp_path, data) as crew:
        assert signal.getsignal(signal.SIGTERM) is handler
        assert crew.free == 2
        for job in jobs:
            crew.start(job)
        assert crew.free == 0
        heard = drive(crew)
        assert crew.free == 2
    for job in jobs:
        own = [m for m in heard if m.run == job.run]
        assert [type(m) for m in own] == [Began, Reported, Reported, Reported, Ended]
        assert own[-1].result == read_result(run_folder(tmp_path, job.run))
    assert len({m.process for m in heard if isinstance(m, Began)}) == 2
    assert weights(jobs) == whole
    assert not list(tmp_path.glob(".shared.*"))


def test_a_node_that_dies_loses_its_run_alone_and_that_goes_on_elsewhere(nodes, data, whole, tmp_path):
    jobs = jobs_in(tmp_path, data)
    with crew_of(nodes, tmp_path, data) as crew:
        for job in jobs:
            crew.start(job)
        _, waiting = until_all_wait(crew, 2)
        nodes.remove_node(next(iter(nodes.worker_nodes)), allow_graceful=False)
        ends = go_on(crew, waiting)
        lost = [end for end in ends.values() if end.result is None]
        assert [end.kind for end in lost] == ["lost"]
        crew.start(next(job for job in jobs if job.run == lost[0].run))
        assert drive(crew)[-1].result is not None
    assert weights(jobs) == whole
    nodes.add_node(**node(1))


def test_runs_that_are_stopped_go_on_from_their_checkpoints(nodes, data, whole, tmp_path):
    jobs = jobs_in(tmp_path, data)
    with crew_of(nodes, tmp_path, data) as crew:
        for job in jobs:
            crew.start(job)
        _, waiting = until_all_wait(crew, 2)
        crew.stop()
        ends = go_on(crew, waiting)
    assert [end.kind for end in ends.values()] == ["stopped", "stopped"]
    assert len(list(tmp_path.rglob("checkpoint.safetensors"))) == 2
    ends = finish(nodes, jobs, data)
    assert all(end.result for end in ends.values())
    assert weights(jobs) == whole


def test_a_run_that_waits_for_room_ends_at_once_when_all_are_stopped(nodes, data, tmp_path):
    jobs = jobs_in(tmp_path, data)
    with open_cluster(nodes.address, Plan("cpu", "float32", "contiguous", 99), (tmp_path,), runs=2) as crew:
        crew.start(jobs[0])
        assert crew.next() is None
        crew.stop()
        assert [m.kind for m in drive(crew)] == ["stopped"]


def test_a_run_that_hangs_is_ended_and_its_process_with_it(nodes, data, whole, tmp_path):
    job = jobs_in(tmp_path, data)[0]
    with crew_of(nodes, tmp_path, data) as crew:
        crew.start(job)
        processes, _ = until_all_wait(crew, 1)
        os.kill(processes[job.run], signal.SIGSTOP)
        crew.kill(job.run)
        assert drive(crew)[-1].kind == "lost"
        with held(run_folder(tmp_path, job.run)):
            pass  # its process has let go
        crew.start(job)
        assert drive(crew)[-1].result is not None
    assert weights([job]) == whole[:1]


def test_a_run_whose_node_never_says_that_it_ended_is_lost_all_the_same(nodes, data, tmp_path, monkeypatch):
    monkeypatch.setattr("nestbench.cluster.crew.GRACE", 0.0)
    job = jobs_in(tmp_path, data)[0]
    with crew_of(nodes, tmp_path, data) as crew:
        crew.start(job)
        until_all_wait(crew, 1)
        monkeypatch.setattr("ray.cancel", lambda *_, **__: None)
        monkeypatch.setattr("nestbench.cluster.crew.end_process", lambda *_: None)
        crew.kill(job.run)
        end = drive(crew)[-1]
    assert (end.kind, end.reason) == ("lost", "it was ended, and its node does not answer")


def test_runs_end_with_a_coordinator_that_is_killed_and_go_on_with_the_next(nodes, data, whole, tmp_path):
    code = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parent)]!r}
from pathlib import Path
import test_cluster as t
cell, = t.STUDY.cells()
place = Path({str(data.folder.parents[1])!r})
data = t.prepare(cell.dataset, place, place / "cache")
with t.open_cluster({nodes.address!r}, t.PLAN, [Path({str(tmp_path)!r})]) as crew:
    for job in t.jobs_in(Path({str(tmp_path)!r}), data):
        crew.start(job)
    t.until_all_wait(crew, 2)
    print("waiting", flush=True)
    sys.stdin.read()
"""
    coordinator = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert coordinator.stdout.readline() == "waiting\n"
    coordinator.kill()
    coordinator.communicate()
    jobs = jobs_in(tmp_path, data)
    ends = finish(nodes, jobs, data)
    assert [end.result is not None for end in ends.values()] == [True, True]
    assert weights(jobs) == whole


def test_a_run_that_fails_says_why_and_where(nodes, data, tmp_path):
    job = jobs_in(tmp_path, data)[0]
    run_folder(tmp_path, job.run).mkdir(parents=True)
    (run_folder(tmp_path, job.run) / "run.log").mkdir()
    with crew_of(nodes, tmp_path, data) as crew:
        crew.start(job)
        end = drive(crew)[-1]
    assert end.kind == "failed"
    assert re.fullmatch(r"Is a directory '.*run\.log' \(\w+\.py:\d+\)", end.reason)


def test_a_node_that_does_not_share_the_results_leaves_its_run_to_others(nodes, data, tmp_path):
    job = jobs_in(tmp_path, data)[0]
    with crew_of(nodes, tmp_path, data) as crew:
        for token in tmp_path.glob(".shared.*"):
            token.unlink()
        crew.start(job)
        end = drive(crew)[-1]
    assert end.kind == "lost"
    assert f"node '{socket.gethostname()}' does not see the folder '{tmp_path}'" in end.reason


def test_a_cluster_without_room_for_a_run_is_refused(nodes, tmp_path):
    plan = Plan("cpu", "float32", "contiguous", 64)
    with (
        pytest.raises(RequestError, match=r"no node .* has room for a run, which takes CPU 64"),
        open_cluster(nodes.address, plan, (tmp_path,)),
    ):
        pass


def test_a_cluster_of_another_version_is_refused(nodes, tmp_path, monkeypatch):
    monkeypatch.setattr("ray.__version__", "1.0.0")
    with (
        pytest.raises(RequestError, match=r"runs Ray [\d.]+ and Python [\d.]+, and here are Ray 1\.0\.0"),
        open_cluster(nodes.address, PLAN, (tmp_path,)),
    ):
        pass


def test_nodes_with_another_nestbench_are_named(nodes, tmp_path, monkeypatch):
    monkeypatch.setattr("nestbench.cluster.nodes.__version__", "0.0.0")
    with (
        pytest.raises(RequestError, match=rf"'{socket.gethostname()}' has nestbench .*, and here is 0\.0\.0"),
        open_cluster(nodes.address, PLAN, (tmp_path,)),
    ):
        pass
