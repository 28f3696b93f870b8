"""What a study loses when its processes are killed: it must be nothing.

    python benchmarks/faults.py [--kills 40] [--seed 0] [--only TEXT]

A study of a few seconds, a search among it, writes a checkpoint after every step (``--checkpoint 0``). First it runs
without a fault. Then it is run anew, in a folder of its own, for every fault: one process gets SIGKILL, and the
installed command is started until it ends well.

``--kills`` faults come at a moment, and to a process, that are drawn: the coordinator, a worker, or the process that
carries their messages. Each has a seed of its own, from ``--seed`` on. Then come the two halves of every write that the
study does, each once: a file is written and half of it lost, or it is in its place and nothing that follows is done;
and every deletion, before it is done (``killed/sitecustomize.py`` says how). ``--only`` keeps the faults whose name has
that text.

Lost: runs without a result. Twice: results written over others. Differing: runs whose weights (SHA-256), scores or
epochs are not those of the study without a fault. Astray: trials that Optuna's store has not as the results have them.
Left: temporary files.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import optuna
from asked import answer, bare, count

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
"""How often the command may be started until a study must have ended well."""
PATIENCE = 600
"""Seconds in which it must end each time."""

Kill = Callable[[subprocess.Popen[bytes], Path], str]
"""Kills a process of a study that was just started, or lets it kill itself; who it was, or nothing."""


@dataclass(frozen=True)
class Loss:
    """What is not as it was without a fault."""

    lost: int
    twice: int
    differing: int
    astray: int
    left: int


def session(place: Path, point: str = "") -> subprocess.Popen[bytes]:
    """Start the study in its folder; its words go to a file."""
    watched = {"FAULTS_ROOT": str(place), "PYTHONPATH": str(Path(__file__).parent / "killed"), "OMP_NUM_THREADS": "1"}
    environment = os.environ | watched | {"NESTBENCH_CACHE": str(place / "cache"), "FAULTS_POINT": point}
    said = (place / "said").open("ab")
    order = [COMMAND, "study", "run", "study.yaml", "--precision", "float32", "--checkpoint", "0"]
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


def points(whole: Path) -> list[str]:
    """The first time that the study passes each point of its writes, in the order in which it does."""
    lines = [line.split(" ", 1)[1] for line in (whole / "points").read_text().splitlines()]
    return [line for line in lines if line.endswith(" 1")]


def at_point(process: subprocess.Popen[bytes], place: Path) -> str:
    """Wait until a process came to its point."""
    process.wait(PATIENCE)
    return ("coordinator" if process.returncode == -signal.SIGKILL else "worker") if (place / "killed").exists() else ""


def at_moment(seed: int, seconds: float) -> Kill:
    """Kill a process that is drawn at a moment that is drawn, within the seconds that a study takes."""
    draw = random.Random(seed)
    moment, mark, victim = draw.uniform(0, seconds), draw.random(), draw.choice(("coordinator", "worker"))

    def kill(process: subprocess.Popen[bytes], place: Path) -> str:
        end = time.monotonic() + moment
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        others = children(process.pid)
        if process.poll() is None and (victim == "coordinator" or not others):
            process.kill()
            return f"coordinator at {moment:.2f} s"
        if process.poll() is None:
            chosen = others[int(mark * len(others))]
            os.kill(chosen, signal.SIGKILL)
            return f"{'worker' if at_work(chosen, place) else 'helper'} at {moment:.2f} s"
        return ""

    return kill


def children(process: int) -> list[int]:
    """The processes that a coordinator has begun: workers, and the one that carries their messages."""
    listed = Path(f"/proc/{process}/task/{process}/children")
    found = [int(word) for word in listed.read_text().split()] if listed.exists() else []
    return [one for one in found if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


def at_work(process: int, place: Path) -> bool:
    """Whether a run says that this process is at it."""
    return any(json.loads(mark.read_text())["process"] == process for mark in place.rglob("running.json"))


def suffer(place: Path, kill: Kill, point: str = "") -> tuple[str, int]:
    """Start the study, kill, and start it again until it ends well; who was killed, and the starts that it took."""
    process = session(place, point)
    who = kill(process, place)
    for start in range(1, STARTS + 1):
        if process.wait(PATIENCE) == 0:
            return who, start
        process = session(place)
    raise RunError(f"the study in '{place}' does not end well: {(place / 'said').read_text()[-2000:]}")


def found(place: Path) -> dict[str, Any]:
    """What each run of the study found, without what may differ: times and the machine."""
    runs = {}
    for path in sorted((place / "results").rglob("result.json")):
        content = json.loads(path.read_text())
        runs[str(path.parent.relative_to(place))] = [
            content[key] for key in ("identity", "validation", "best_epoch", "epochs", "stopped", "scores")
        ] + [content["files"].get(name) for name in ("weights.safetensors", "cases.parquet")]
    return runs


def shown(place: Path) -> dict[str, Any]:
    """The runs in Optuna's store, with how they ended; what broke off stands there too, as failed."""
    url = f"sqlite:///{place / 'results/killed/optuna.db'}"
    (name,) = optuna.get_all_study_names(url)
    trials = optuna.load_study(study_name=name, storage=url).trials
    ended = [(t.user_attrs["run"], t.value, *t.intermediate_values.items()) for t in trials if t.state.name != "FAIL"]
    return {f"{run} {n}": rest for n, (run, *rest) in enumerate(sorted(ended))}


def loss(place: Path, whole: Path) -> Loss:
    """What is lost, against the study without a fault."""
    now, then, rows, due = found(place), found(whole), shown(place), shown(whole)
    return Loss(
        lost=len(then.keys() - now.keys()),
        twice=sum(line.split()[1] == "again" for line in (place / "points").read_text().splitlines()),
        differing=sum(now[run] != then[run] for run in now.keys() & then.keys()),
        astray=sum(rows.get(run) != due.get(run) for run in rows.keys() | due.keys()),
        left=len(list((place / "results").rglob(".*.*"))),
    )


def faults(whole: Path, seconds: float, kills: int, seed: int) -> Iterator[tuple[str, Kill, str]]:
    """Each fault: how it is called, what kills, and the point of a write where that is to happen."""
    for one in range(seed, seed + kills):
        yield f"seed {one}", at_moment(one, seconds), ""
    for point in points(whole):
        yield point.removesuffix(" 1"), at_point, point


def run(room: Path, kills: int, seed: int, only: str) -> list[tuple[str, Loss]]:
    """Run the study without a fault, then with each; who was killed, and what was lost by it."""
    whole, before = prepared(room / "whole", None), time.monotonic()
    suffer(whole, lambda *_: "")
    # Once more, as a study with a fault finds it: with cache and timings.
    again, before = prepared(room / "again", whole), time.monotonic()
    suffer(again, lambda *_: "")
    seconds = time.monotonic() - before
    print(f"without a fault: {len(found(whole))} runs, {seconds:.1f} s, {loss(again, whole)}", flush=True)
    chosen = [one for one in faults(whole, seconds, kills, seed) if only in one[0]]
    done = []
    for number, (name, kill, point) in enumerate(chosen, 1):
        place = prepared(room / str(number), whole, name)
        who, starts = suffer(place, kill, point)
        one = loss(place, whole)
        words = ", ".join(f"{key} {value}" for key, value in asdict(one).items() if value) or "nothing lost"
        print(f"{number}/{len(chosen)}  {name}: {who or 'nobody'}, {starts} starts: {words}", flush=True)
        done += [(who.partition(" ")[0], one)] if who else []
        if one == Loss(0, 0, 0, 0, 0):
            shutil.rmtree(place)
    return done


def main() -> None:
    parser = bare(__doc__)
    parser.add_argument("--kills", type=count, default=40, help="faults at moments that are drawn")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first of them")
    parser.add_argument("--only", default="", help="only faults whose name has this text")
    asked = parser.parse_args()
    room = mkdtemp(prefix="faults-")
    done = run(Path(room), asked.kills, asked.seed, asked.only)
    killed = Counter(who for who, _ in done)
    print(f"{len(done)} kills: {', '.join(f'{number} of a {who}' for who, number in killed.items())}")
    sums = {key: sum(asdict(one)[key] for _, one in done) for key in asdict(Loss(0, 0, 0, 0, 0))}
    print(f"runs lost {sums['lost']}, runs done twice {sums['twice']}, runs differing {sums['differing']},")
    print(f"trials astray in the store {sums['astray']}, temporary files left {sums['left']}")
    if any(sums.values()):
        raise RunError(f"something was lost: look into '{room}'")
    shutil.rmtree(room)


if __name__ == "__main__":
    answer(main)
