"""What a study loses when its processes are killed: it must be nothing.

    python benchmarks/faults.py [--kills 40] [--seed 0] [--together 1] [--only TEXT]

A study of a few seconds, a search among it, writes a checkpoint after every step (``--checkpoint 0``). First it runs
without a fault. Then it is run anew, in a folder of its own, for every fault: one process gets SIGKILL, and the
installed command is started until it ends well.

``--kills`` faults come at a moment, and to a process, that are drawn: half of them to a worker at a run, a quarter to
the coordinator, a quarter to a helper, which is a worker before it is at a run, or the process that carries their
messages. Each fault has a seed of its own, from ``--seed`` on. Then come the two halves of every write that the study
does, each once: a file is written and half of it lost, or it is in its place and nothing that follows is done; and
every deletion, before it is done (``killed/sitecustomize.py`` says how). ``--together 10`` lets up to ten of these
befall one study before it comes to its end, which takes less time: a point that comes only after one where its process
has just been killed may not come again. ``--only`` keeps the faults whose name has that text: ``--only 'seed '`` those
at moments.

Lost: runs without a result. Twice: results written over others. Differing: runs whose weights (SHA-256), scores or
epochs are not those of the study without a fault. Astray: trials that Optuna's store has not as the results have them.
Left: temporary files. Where a fault's moment came after the end nobody is killed: that is said, and not counted.
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import optuna
from asked import answer, bare, count
from killing import Kill, at_moment, at_points, prepared, suffer

from nestbench.errors import RunError


@dataclass(frozen=True)
class Loss:
    """What is not as it was without a fault."""

    lost: int
    twice: int
    differing: int
    astray: int
    left: int


def points(whole: Path) -> list[str]:
    """The first time that the study passes each point of its writes, in the order in which it does."""
    lines = [line.split(" ", 1)[1] for line in (whole / "points").read_text().splitlines()]
    return [line for line in lines if line.endswith(" 1")]


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


def faults(whole: Path, again: Path, kills: int, seed: int, together: int) -> Iterator[tuple[str, Kill, Sequence[str]]]:
    """Each fault, or group of them: how it is called, what kills, and the points of writes where that is to happen."""
    for one in range(seed, seed + kills):
        yield f"seed {one}", at_moment(one, again), ()
    due = points(whole)
    for first in range(0, len(due), together):
        group = due[first : first + together]
        yield ", ".join(point.removesuffix(" 1") for point in group), at_points, group


def run(room: Path, kills: int, seed: int, together: int, only: str) -> list[tuple[list[str], Loss]]:
    """Run the study without a fault, then with each; who was killed, and what was lost by it."""
    whole = prepared(room / "whole", None)
    suffer(whole, at_points)
    # Once more, as a study with a fault finds it: with cache and timings.
    again, before = prepared(room / "again", whole), time.monotonic()
    suffer(again, at_points)
    seconds = time.monotonic() - before
    print(f"without a fault: {len(found(whole))} runs, {seconds:.1f} s, {loss(again, whole)}", flush=True)
    chosen = [one for one in faults(whole, again, kills, seed, together) if only in one[0]]
    done = []
    for number, (name, kill, due) in enumerate(chosen, 1):
        place = prepared(room / str(number), whole, name)
        who, starts = suffer(place, kill, due)
        one = loss(place, whole)
        words = ", ".join(f"{key} {value}" for key, value in asdict(one).items() if value) or "nothing lost"
        killed = ", ".join(who) or "nobody"
        print(f"{number}/{len(chosen)}  {name}: {killed}; {starts} starts: {words}", flush=True)
        done.append((who, one))
        if one == Loss(0, 0, 0, 0, 0):
            shutil.rmtree(place)
    return done


def main() -> None:
    parser = bare(__doc__)
    parser.add_argument("--kills", type=int, default=40, help="faults at moments that are drawn")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first of them")
    parser.add_argument("--together", type=count, default=1, help="how many writes break off before a study's end")
    parser.add_argument("--only", default="", help="only faults whose name has this text")
    asked = parser.parse_args()
    room = mkdtemp(prefix="faults-")
    done = run(Path(room), asked.kills, asked.seed, asked.together, asked.only)
    killed = Counter(one.partition(" ")[0] for who, _ in done for one in who)
    print(f"{killed.total()} kills: {', '.join(f'{number} of a {who}' for who, number in killed.items())}")
    sums = {key: sum(asdict(one)[key] for _, one in done) for key in asdict(Loss(0, 0, 0, 0, 0))}
    print(f"runs lost {sums['lost']}, runs done twice {sums['twice']}, runs differing {sums['differing']},")
    print(f"trials astray in the store {sums['astray']}, temporary files left {sums['left']}")
    if any(sums.values()):
        raise RunError(f"something was lost: look into '{room}'")
    shutil.rmtree(room)


if __name__ == "__main__":
    answer(main)
