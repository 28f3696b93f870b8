"""A course as a file, whole or not at all, that is read without unpickling."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from nestbench.errors import StoppedError
from nestbench.results.atomic import replacing
from nestbench.results.stopped import ABOUT
from nestbench.train.course import Course, Snapshot


class Keeper:
    """Keeps a run's checkpoint, and stops the run where somebody asks for it.

    ``identity`` is all that decides the run's outcome, as plain data: a checkpoint of another identity is not gone on
    from. ``say`` hears why one that lies there is not used. A checkpoint is written after every so many seconds.
    """

    def __init__(
        self,
        path: Path,
        identity: dict[str, Any],
        stop: Callable[[], bool] = lambda: False,
        say: Callable[[str], None] = lambda _: None,
        every: float = 60.0,
    ) -> None:
        self._path, self._identity, self._stop, self._say, self._every = path, identity, stop, say, every
        self._last = time.monotonic()
        self.trained = False
        """Whether a step of training was taken in this process."""

    def resume(self, course: Course) -> None:
        """Bring a course to where its checkpoint has it; leave it at its start where there is none that can be used."""
        if not self._path.exists():
            return
        try:
            saved, identity = _read(self._path)
            if identity == self._identity:
                course.restore(saved)
            else:
                self._say(f"the checkpoint '{self._path}' is of another run: it begins anew")
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            self._say(f"the checkpoint '{self._path}' is damaged ({error}): the run begins anew")

    def pause(self, course: Course, seconds: float) -> None:
        """Between two steps: write a checkpoint where it is time, or where the run is to stop.

        Raises StoppedError where it is to stop, once the checkpoint is on the disk.
        """
        stopping = self._stop()
        if stopping or time.monotonic() - self._last >= self._every:
            self.keep(course, seconds)
        if stopping:
            raise StoppedError("stopped; it goes on from its checkpoint")

    def keep(self, course: Course, seconds: float = 0.0) -> None:
        """Write a checkpoint now; ``seconds`` is what the epoch that is going on has taken so far."""
        _write(self._path, course.snapshot(seconds), self._identity)
        self._last = time.monotonic()


def _write(path: Path, snapshot: Snapshot, identity: dict[str, Any]) -> None:
    with replacing(path) as beside:
        save_file(snapshot.tensors, beside, {ABOUT: json.dumps({"identity": identity, "facts": snapshot.facts})})


def _read(path: Path) -> tuple[Snapshot, dict[str, Any]]:
    with safe_open(path, "pt") as file:
        content = json.loads((file.metadata() or {})[ABOUT])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    return Snapshot(tensors, content["facts"]), content["identity"]
