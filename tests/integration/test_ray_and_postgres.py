"""A study whose runs are done by nodes of Ray and shown in a real PostgreSQL, while all of them are killed in turn."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.servers import NO_POSTGRES, PG_CTL, cluster, node, postgres
from nestbench.machine import cores
from nestbench.searches.database import let_go, open_url

pytest.importorskip("ray", reason="Ray is not installed: pip install 'nestbench[cluster]'")
pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'nestbench[cluster]')")

pytestmark = pytest.mark.skipif(PG_CTL is None, reason=NO_POSTGRES)

COMMAND = Path(sys.executable).parent / "nestbench"
PATIENCE = 600
"""Seconds after which a coordinator is ended, so that what is never said is not waited for."""
STUDY = """
name: both
datasets: [{name: synthetic, size: 16, cases: 12}]
encoders: ["plain:2"]
models: [unet, unet++ds]
depth: 1
recipe: {epochs: 150, patience: 150}
search: {trials: 1, space: {learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}}}
seeds: 1
"""


@contextmanager
def coordinator(address: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """The installed command, with each node's one core for a run."""
    order = [COMMAND, "study", "run", "both.yaml", "--device", "cpu", "--checkpoint", "1"]
    order += ["--cluster", address, "--workers", str(2 * cores()), "--storage", url]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(order, **pipes) as process:
        watch = threading.Timer(PATIENCE, process.kill)
        watch.start()
        try:
            yield process
        finally:
            watch.cancel()
            process.kill()


def until(process: subprocess.Popen[str], word: str) -> str:
    """Hear the coordinator until it says that word; that line."""
    heard = []
    for line in process.stdout:
        heard.append(line)
        if word in line:
            return line
    raise AssertionError(f"'{word}' was never said: {''.join(heard)}")


def until_both_nodes_are_at_work(process: subprocess.Popen[str]) -> int:
    """Hear the coordinator until each node is in the middle of a run; the process of one, which is held there."""
    until(process, "epoch 5 of")
    first = json.loads(next(Path("results").rglob("running.json")).read_text())["process"]
    os.kill(first, signal.SIGSTOP)
    until(process, "epoch 5 of")
    return first


def finished() -> dict[Path, tuple[int, int]]:
    """The results there are, each with what tells it from one that was written anew."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in Path("results").rglob("result.json")}


def ended(url: str) -> dict[str, float]:
    """The validation IoU of what stands in the store as ended well, of which no run stands there twice."""
    found, (storage, _) = {}, open_url(url)
    for study in storage.get_all_studies():
        for trial in storage.get_all_trials(study._study_id):
            if trial.state.name != "FAIL":
                run = f"{study.user_attrs['model']}/{trial.user_attrs['run']}"
                assert run not in found, run
                found[run] = trial.value
    let_go(storage)
    return found


def test_nodes_postgresql_and_coordinator_die_in_turn_and_nothing_is_lost_or_done_twice(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_worker_niceness", "0")  # beside other tests the nodes would starve
    Path("both.yaml").write_text(STUDY)
    with postgres() as server, cluster(1, 1) as nodes:
        with coordinator(nodes.address, server.url) as first:
            held = until_both_nodes_are_at_work(first)
            nodes.remove_node(*nodes.worker_nodes, allow_graceful=False)
            os.kill(held, signal.SIGCONT)
            lost = until(first, "trying again")
            assert "its process or its node is gone" in lost
            nodes.add_node(**node(1))
            server.stop()
            until(first, "is lost (")
            server.start()
            until(first, "is back, and says again")
            until(first, "finished")
            first.kill()
        before = finished()
        with coordinator(nodes.address, server.url) as second:
            said, _ = second.communicate()
        assert second.returncode == 0, said
        results = finished()
        shown = ended(server.url)
    assert 0 < len(before) < len(results) == 4
    assert before.items() <= results.items()
    assert shown == {run_of(path): json.loads(path.read_text())["validation"] for path in results}


def run_of(path: Path) -> str:
    """The model and the run whose result that is."""
    return "/".join(path.parts[-3:-1])
