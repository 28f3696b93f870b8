"""Python imports this at its start where the folder is on its path: it ends the process in the middle of a write.

FAULTS_ROOT is the folder whose files are watched. Each point of a write that is passed is a line of ``points`` in it:
the process, the phase, the file below the folder, and how often the process was there. FAULTS_POINTS are such lines
without their processes: who comes to one of them first is killed, and leaves a file in ``deaths`` that says who it was.

    half    the file beside its target is written, and not yet on the disk: half of it is lost
    named   it is in its target's place, and nothing that follows is done
    kept    a file that is to be deleted is still there
    again   a result is written over one that was there: its run was done twice

Nothing of this is in nestbench: os.fsync, os.replace, os.rename and os.unlink are what it writes by.
"""

import multiprocessing
import os
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

_ROOT = Path(os.environ["FAULTS_ROOT"]).resolve() if "FAULTS_ROOT" in os.environ else None
_POINTS = os.environ.get("FAULTS_POINTS", "").splitlines()
_BESIDE = re.compile(r"(^|/)\.([^/]+)\.[^./]+(?=/|$)")
"""A temporary name: of ``a/b.json`` it is ``a/.b.json.x8k2m1qz``."""

_SEEN: Counter[str] = Counter()
_fsync, _replace, _unlink = os.fsync, os.replace, os.unlink


def _below(path: Any) -> str:
    """A path below the watched folder, by the name that it will have; nothing for others."""
    whole = Path.cwd() / os.fspath(path)
    return _BESIDE.sub(r"\1\2", str(whole.relative_to(_ROOT))) if _ROOT and whole.is_relative_to(_ROOT) else ""


def _passed(phase: str, name: str) -> bool:
    """Note the point; whether the process is to end here."""
    assert _ROOT is not None
    _SEEN[f"{phase} {name}"] += 1
    point = f"{phase} {name} {_SEEN[f'{phase} {name}']}"
    with (_ROOT / "points").open("a") as file:
        file.write(f"{os.getpid()} {point}\n")
    if point not in _POINTS:
        return False
    who = "worker" if multiprocessing.parent_process() else "coordinator"
    try:
        (_ROOT / "deaths").mkdir(exist_ok=True)
        with (_ROOT / "deaths" / point.replace("/", ":")).open("x") as file:
            file.write(who)
    except FileExistsError:
        return False
    return True


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fsync(file: int) -> None:
    """As os.fsync."""
    path = Path(f"/proc/self/fd/{file}").readlink()
    if path.is_file() and (name := _below(path)) and _passed("half", name):
        os.truncate(path, path.stat().st_size // 2)
        _end()
    _fsync(file)


def replace(source: Any, target: Any, **where: Any) -> None:
    """As os.replace and os.rename."""
    name = _below(target)
    if name.endswith("/result.json") and Path(target).exists():
        _passed("again", name)
    _replace(source, target, **where)
    if name and _passed("named", name):
        _end()


def unlink(path: Any, **where: Any) -> None:
    """As os.unlink."""
    # Of what has a temporary name it does not matter whether it is there.
    lasting = not where and not _BESIDE.search(os.fspath(path)) and Path(path).exists()
    if lasting and (name := _below(path)) and _passed("kept", name):
        _end()
    _unlink(path, **where)


if _ROOT:
    os.fsync, os.replace, os.rename, os.unlink, os.remove = fsync, replace, replace, unlink, unlink  # type: ignore[assignment]
