"""The installed command from a study file to a PDF, on a study that takes seconds."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).parent / "nestbench"
STUDY = """
name: tiny
datasets: [{name: synthetic, size: 32, cases: 24}]
encoders: ["plain:4"]
models: [unet, unet++ds]
depth: 2
recipe: {epochs: 3, batch: 4, learning_rate: 3.0e-3}
seeds: 2
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("NESTBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(STUDY)
    return tmp_path


def nestbench(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


def results(folder):
    """What a study found, weights to the bit, without what may differ: times, memory and the environment."""
    found = {}
    for path in sorted(Path(folder).rglob("result.json")):
        content = json.loads(path.read_text())
        differs = ("seconds", "testing", "memory", "environment", "hash")
        same = {k: v for k, v in content.items() if k not in differs}
        same["files"] = {name: digest for name, digest in same["files"].items() if name != "epochs.jsonl"}
        found[str(path.relative_to(folder))] = same
    return found


def stamps(folder):
    return {p: p.stat().st_mtime_ns for p in Path(folder).rglob("weights.safetensors")}


def test_a_study_runs_to_its_report_and_a_second_time_trains_nothing(place):
    first = nestbench("study", "run", "tiny.yaml")
    assert first.returncode == 0, first.stderr
    assert Path("reports/tiny.pdf").read_bytes().startswith(b"%PDF")
    before, report = stamps("results"), Path("reports/tiny.pdf")
    assert len(before) == 4
    report.unlink()
    second = nestbench("study", "run", "tiny.yaml")
    assert second.returncode == 0, second.stderr
    assert stamps("results") == before
    assert report.exists()


def test_a_study_killed_in_the_middle_ends_as_one_that_was_not(place):
    process = subprocess.Popen([COMMAND, "study", "run", "tiny.yaml"], stdout=subprocess.PIPE, text=True)
    for _line in process.stdout:
        if results("results"):  # one run is finished, the next is at work
            os.kill(process.pid, signal.SIGKILL)
            break
    process.communicate(timeout=60)  # ends when the last of its processes has let go of the pipe: none outlives it
    assert process.returncode == -signal.SIGKILL
    done = stamps("results")
    assert 0 < len(done) < 4
    assert nestbench("study", "run", "tiny.yaml").returncode == 0
    assert {p: t for p, t in stamps("results").items() if p in done} == done
    assert nestbench("study", "run", "tiny.yaml", "--results", "whole").returncode == 0
    assert results("results/tiny") == results("whole/tiny")


def test_a_second_ctrl_c_stops_at_once_and_the_same_command_goes_on(place):
    long = STUDY.replace("epochs: 3", "epochs: 400, patience: 400").replace("seeds: 2", "seeds: 1")
    Path("tiny.yaml").write_text(long.replace("[unet, unet++ds]", "[unet]"))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([COMMAND, "study", "run", "tiny.yaml"], **pipes)
    next(line for line in process.stdout if ": epoch " in line)
    worker = json.loads(next(Path("results").rglob("running.json")).read_text())["process"]
    os.kill(worker, signal.SIGSTOP)  # it does not come to the end of its step, so the first Ctrl-C alone waits
    process.send_signal(signal.SIGINT)
    assert "Ctrl-C once more stops at once" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)  # no process that holds the pipe is left
    assert process.returncode == 130
    assert "the same command goes on" in said
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
    status = json.loads(nestbench("study", "status", "tiny.yaml", "--json").stdout)
    assert status["runs"][0]["state"] in ("stopped", "waiting")


def test_sigterm_leaves_a_checkpoint_that_says_how_far_it_is(place):
    long = STUDY.replace("epochs: 3", "epochs: 400, patience: 400").replace("seeds: 2", "seeds: 1")
    Path("tiny.yaml").write_text(long.replace("[unet, unet++ds]", "[unet]"))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([COMMAND, "study", "run", "tiny.yaml"], **pipes)
    next(line for line in process.stdout if ": epoch 5 " in line)
    process.terminate()
    heard, said = process.communicate(timeout=120)
    assert process.returncode == 143
    assert "it keeps its place" in heard
    assert "the same command goes on" in said
    (run,) = json.loads(nestbench("study", "status", "tiny.yaml", "--json").stdout)["runs"]
    assert run["state"] == "stopped"
    assert 5 <= run["epochs"] < 400


def test_a_run_that_fails_is_reported_and_the_others_go_on(place):
    text = STUDY.replace("learning_rate: 3.0e-3", "learning_rate: 1.0e+38").replace("block: modern", "")
    Path("tiny.yaml").write_text(text.replace("seeds: 2", "seeds: 1\nblock: paper"))
    answer = nestbench("study", "run", "tiny.yaml")
    assert answer.returncode == 1
    assert "the training loss became" in answer.stderr
    status = json.loads(nestbench("study", "status", "tiny.yaml", "--json").stdout)
    assert status["counts"]["failed"] == 2
    assert all("the training loss became" in run["reason"] for run in status["runs"])


def test_a_changed_study_over_old_results_is_refused_and_nothing_is_lost(place):
    Path("tiny.yaml").write_text(STUDY.replace("seeds: 2", "seeds: 1").replace("[unet, unet++ds]", "[unet]"))
    assert nestbench("study", "run", "tiny.yaml").returncode == 0
    before = stamps("results")
    Path("tiny.yaml").write_text(STUDY.replace("batch: 4", "batch: 8"))
    answer = nestbench("study", "run", "tiny.yaml")
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert "recipe.batch was 4 and is now 8" in answer.stderr
    assert stamps("results") == before


def test_ones_own_images_are_a_study_of_two_lines_and_a_size(place):
    from PIL import Image  # noqa: PLC0415

    for name in ("images", "masks"):
        Path("mine", name).mkdir(parents=True)
    for i in range(8):
        square = Image.new("L", (40, 30))
        square.paste(255, (5 + i, 5, 20 + i, 20))
        square.save(f"mine/masks/{i}.png")
        square.point(lambda v: v // 2 + 40).save(f"mine/images/{i}.png")
    text = "name: mine\ndatasets: [{name: folder, path: mine, size: 16}]\n"
    small = "encoders: ['plain:2']\nmodels: [unet]\ndepth: 1\nseeds: 1\nrecipe: {epochs: 1}\n"
    Path("mine.yaml").write_text(text + small)
    answer = nestbench("study", "run", "mine.yaml")
    assert answer.returncode == 0, answer.stderr
    assert Path("reports/mine.pdf").exists()
