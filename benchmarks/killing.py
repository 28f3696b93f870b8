"""A study of a few seconds, and ways to kill its processes in the middle."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from nestbench.errors import RunError

COMMAND = Path(sys.executable).with_name("nestbench")
STUDY = """\
name: killed
datasets: [{name: synthetic, size: 16, cases: 12}]
encoders: ["plain:2"]
models: [unet++ds]
depth: 1
recipe: {epochs: 2, batch: 4}
search: {trials: 1, sampler: tpe, space: {learning_rate: {low: 1.0e-3, high: 1.0e-2, log: true}}}
seeds: 1
"""
STARTS = 4
"""How often the command may be started, beside once for every fault, until a study must have ended well."""
PATIENCE = 600
"""Seconds in which it must end each time."""

Kill = Callable[[subprocess.Popen[bytes], Path], str]
"""Kills a process of a study that was just started, or lets it kill itself; who it was, or nothing."""


def session(place: Path, points: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start the study in its folder; its words go to a file."""
    watched = {"FAULTS_ROOT": str(place), "PYTHONPATH": str(Path(__file__).parent / "killed"), "OMP_NUM_THREADS": "1"}
    environment = os.environ | watched | {"NESTBENCH_CACHE": str(place / "cache")}
    environment["FAULTS_POINTS"] = "\n".join(points)
    order = [COMMAND, "study", "run", "study.yaml", "--precision", "float32", "--checkpoint", "0", "--retries", "99"]
    with (place / "said").open("ab") as said:
        return subprocess.Popen(order, cwd=place, env=environment, stdout=said, stderr=said)


def prepared(place: Path, whole: Path | None, name: str = "") -> Path:
    """A folder for the study, with what takes long and is not what the fault ``name`` is about: cache and timings."""
    place.mkdir()
    (place / "study.yaml").write_text(STUDY)
    for part in ("cache", "results/killed/speed") if whole else ():
        if part not in name:
            shutil.copytree(whole / part, place / part)
    # What is chosen by a measurement may come out otherwise the next time.
    if whole and "cache/" in name and "calibration" not in name:
        (place / "cache").mkdir()
        for file in (whole / "cache").glob("calibration*"):
            shutil.copy(file, place / "cache")
    return place


def at_points(*_: object) -> str:
    """Nobody: who comes to its point kills itself."""
    return ""


def at_moment(seed: int, whole: Path) -> Kill:
    """Kill a process that is drawn at a moment that is drawn.

    Half of the draws are a worker's that is at a run, a quarter the coordinator's, and a quarter a helper's: a worker
    before it is at a run, or the process that carries the messages. The moment is when the study has passed so many of
    the points of its writes, of those that the undisturbed study in ``whole`` passes, and up to a second later; for a
    worker they are those of the runs, and up to a tenth of a second.
    """
    draw = random.Random(seed)
    who, mark = draw.choice(("coordinator", "worker", "worker", "helper")), draw.random()
    due = draw.choice(moments(whole, of_workers=who == "worker"))
    delay = draw.random() * (0.1 if who == "worker" else 1.0)

    def kill(process: subprocess.Popen[bytes], place: Path) -> str:
        wait(process, lambda: passed(place) >= due)
        end = time.monotonic() + delay
        wait(process, lambda: time.monotonic() > end)
        wait(process, lambda: bool(victims(who, process, place)))
        found = victims(who, process, place)
        if process.poll() is not None or not found:
            return ""
        with suppress(ProcessLookupError):
            os.kill(found[int(mark * len(found))], signal.SIGKILL)
            return f"{who} {delay:.2f} s after point {due}"
        return ""

    return kill


def moments(whole: Path, of_workers: bool) -> list[int]:
    """The numbers of the points that a study passes until its last run is done, or of those which its workers pass."""
    lines = (whole / "points").read_text().splitlines()
    last = max(number for number, line in enumerate(lines) if line.endswith("/result.json 1"))
    coordinator = lines[0].partition(" ")[0]
    return [n for n, line in enumerate(lines[:last]) if not of_workers or not line.startswith(f"{coordinator} ")]


def passed(place: Path) -> int:
    """How many points of its writes a study has passed."""
    return (place / "points").read_bytes().count(b"\n") if (place / "points").exists() else 0


def wait(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    """Return once it is so, or the process has ended."""
    while process.poll() is None and not ready():
        time.sleep(0.01)


def victims(who: str, process: subprocess.Popen[bytes], place: Path) -> list[int]:
    """The processes of a coordinator that are called so now."""
    if who == "coordinator":
        return [process.pid]
    busy = at_work(place)
    return [child for child in children(process.pid) if (child in busy) == (who == "worker")]


def children(process: int) -> list[int]:
    """The processes that a coordinator has begun: workers, and the one that carries their messages."""
    found = []
    with suppress(OSError):  # a process that ends meanwhile has no files
        for child in map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()):
            found += [child] if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes() else []
    return found


def at_work(place: Path) -> list[int]:
    """The processes that say that they are at a run."""
    found = []
    for mark in place.rglob("running.json"):
        with suppress(OSError):
            found.append(json.loads(mark.read_text())["process"])
    return found


def suffer(place: Path, kill: Kill, points: Sequence[str] = ()) -> tuple[list[str], int]:
    """Start the study, kill, and start it again until it ends well; who was killed, and the starts that it took."""
    process = session(place, points)
    who = [one] if (one := kill(process, place)) else []
    for start in range(1, STARTS + len(points) + 1):
        if process.wait(PATIENCE) == 0:
            return who + [file.read_text() for file in place.glob("deaths/*")], start
        process = session(place, points)
    raise RunError(f"the study in '{place}' does not end well: {(place / 'said').read_text()[-2000:]}")
