"""What one run leaves behind: the truth that reports and restarts are made from (``results.places`` says where)."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nestbench.results.atomic import replacing, write_json, write_text
from nestbench.results.reading import hashed, naming, read_json
from nestbench.study.schema import Recipe, Run

if TYPE_CHECKING:
    import pandas as pd

CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "weights.safetensors"

RUNNING = "running.json"
_BEGUN = "begun.json"
_FAILED = "failed.json"

_FILES = (
    "cases.parquet",
    "sizes.parquet",
    "detections.parquet",
    "epochs.jsonl",
    "predictions.npz",
    WEIGHTS,
)


@dataclass(frozen=True)
class Result:
    """One finished run in numbers. Its cases and epochs lie in files beside it."""

    identity: dict[str, Any]
    """Everything that decides the outcome: run, data, plan."""
    primary: str
    """The output that the member is judged by: ``ensemble`` or ``L<depth>``."""
    validation: float
    """Best validation IoU (0 to 1) of the primary output, or Score of a Mask R-CNN: by it the weights were chosen."""
    best_epoch: int
    epochs: int
    stopped: str
    """Why training ended: ``patience``, ``epochs`` or ``stopper``."""
    parameters: int
    seconds: float
    """Wall-clock seconds of training, validation included."""
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    """Test scores by output (``L1``.., ``ensemble``) and metric, means over subjects; empty for a search's trial."""
    chosen: dict[str, dict[str, Any]] = field(default_factory=dict)
    """How each output tells objects apart, as was chosen on the validation side: the fields of its ``find.Way``; empty
    where classes of pixels are judged."""
    environment: dict[str, Any] = field(default_factory=dict)
    memory: int | None = None
    """Bytes by which what the process (or torch, on a GPU) held grew at the peak of training: network, optimiser,
    activations, and the data that are held. None where it was not recorded, or could not be."""
    testing: float | None = None
    """Wall-clock seconds, after those of training, in which validation and test cases were judged and files written.
    None where nothing was tested, or where it was not recorded."""
    parts: int = 1
    """In how many parts a batch went through the network, because as a whole it did not fit in memory."""
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each file beside it that belongs to it, by name."""

    @property
    def took(self) -> float:
        """Wall-clock seconds of training and test."""
        return self.seconds + (self.testing or 0.0)


_SAID = {"hash", *(f.name for f in fields(Result))}
_NEEDED = {f.name for f in fields(Result) if f.default is f.default_factory is MISSING}
"""What may and what must stand in the file of a result."""


@dataclass(frozen=True)
class Epoch:
    """One epoch's line of the learning curve."""

    index: int
    train_loss: float
    validation_loss: float
    """Mean loss over the heads, so that members with one head and with several can be compared."""
    validation_iou: float
    """Mean foreground IoU; of a Mask R-CNN the mean Score (``results.instance_scores``)."""
    best: bool
    seconds: float
    feeding: float | None = None
    """Of ``seconds``, those in which training waited for its next batch. Not all that feeding costs: a side that is
    streamed is read meanwhile, and a GPU augments while it trains. None where it was not noted, as in older results."""
    validating: float | None = None
    """Of ``seconds``, those of the look at the validation side; None likewise."""


def fingerprint(content: Any) -> str:
    """Short hash of plain data, the same on every machine."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_epochs(folder: Path, epochs: list[Epoch]) -> None:
    """Write the learning curve, one JSON object a line."""
    write_text(folder / "epochs.jsonl", "".join(json.dumps(asdict(e), allow_nan=False) + "\n" for e in epochs))


def write_cases(folder: Path, cases: "pd.DataFrame") -> None:
    """Write the per-case counts (the columns are those of ``nestbench.results.scores``)."""
    with replacing(folder / "cases.parquet") as beside:
        cases.to_parquet(beside, index=False)


def write_objects(folder: Path, objects: "pd.DataFrame") -> None:
    """Write the sizes of a data set's objects, a row for each object of each case."""
    with replacing(folder / "objects.parquet") as beside:
        objects.to_parquet(beside, index=False)


def write_result(folder: Path, result: Result) -> Result:
    """Write ``result.json``, after every other file of the run: that it exists means that the run is done.

    It holds the hash of each of the others and of itself. Returns what ``read_result`` will.
    """
    files = {name: hashed(folder / name) for name in _FILES if (folder / name).exists()}
    content = asdict(replace(result, files=files))
    write_json(folder / "result.json", content | {"hash": fingerprint(content)})
    tidy(folder)
    return replace(result, files=files)


def tidy(folder: Path) -> None:
    """Remove what only a run that is not done needs: a process that is killed once it has its result may leave it."""
    for name in (CHECKPOINT, _BEGUN, RUNNING, _FAILED):
        (folder / name).unlink(missing_ok=True)


def write_begun(folder: Path, run: Run) -> None:
    """Put down with which recipe a search's trial was begun: if it is stopped, it goes on with that one."""
    write_json(folder / _BEGUN, run.recipe.model_dump(mode="json"))


def read_begun(folder: Path) -> Recipe | None:
    """The recipe with which a trial was begun that has not ended, or None."""
    path = folder / _BEGUN
    with naming(path):
        return Recipe.model_validate(read_json(path)) if path.exists() else None


def write_failure(folder: Path, reason: str) -> None:
    """Record why a run failed; it is tried again on the next start."""
    write_json(folder / _FAILED, {"reason": reason})


def read_result(folder: Path) -> Result | None:
    """The run's result, or None where it is not done.

    Raises RequestError for a file that is not ours, or was changed after it was written, naming it.
    """
    path = folder / "result.json"
    if not path.exists():
        return None
    content = read_json(path)
    with naming(path):
        if fingerprint({key: value for key, value in content.items() if key != "hash"}) != content["hash"]:
            raise ValueError("it was changed after it was written")
        strange = content.keys() - _SAID
        if strange:
            raise ValueError(f"it has '{min(strange)}', which this version of nestbench does not know")
        missing = _NEEDED - content.keys()
        if missing:
            raise KeyError(min(missing))
        return Result(**{key: value for key, value in content.items() if key != "hash"})


def read_failure(folder: Path) -> str | None:
    """Why the run failed the last time, or None."""
    path = folder / _FAILED
    with naming(path):
        return str(read_json(path)["reason"]) if path.exists() else None


def read_epochs(folder: Path) -> list[Epoch]:
    """The learning curve of a finished run.

    Raises RequestError that names the file where it is damaged, or was changed after the run was done.
    """
    with as_sealed(folder, "epochs.jsonl") as path:
        return [Epoch(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def read_cases(folder: Path) -> "pd.DataFrame":
    """The per-case counts of a finished run. Raises RequestError as ``read_epochs`` does."""
    from pandas import read_parquet  # noqa: PLC0415 (half a second, which who asks how far a study is need not wait)

    with as_sealed(folder, "cases.parquet") as path:
        return read_parquet(path)


def as_sealed(folder: Path, name: str) -> AbstractContextManager[Path]:
    """A file of a run's results, once it is certain that it is as the result says."""
    return intact(folder / name, read_result(folder))


@contextmanager
def intact(path: Path, result: Result | None) -> Iterator[Path]:
    """A file of a run's results; raises RequestError where it is not as the result says."""
    with naming(path):
        if result is not None and result.files.get(path.name) != hashed(path):
            raise ValueError("it was changed after its run was done")
        yield path
