"""What one run leaves behind, and where: the truth that reports and restarts are made from.

results/<study>/study.yaml                 the study as run, every default written out
results/<study>/plan.json                  the machine's plan, the same for all runs
results/<study>/<dataset>/
    dataset.json                           cases, classes, licence, and the split by case
    objects.parquet                        every object of every case, with its size
    overlays.npz                           images and masks of the test cases that the report shows
results/<study>/<dataset>/<encoder>/<model>/seed-<n>/
    result.json  cases.parquet  epochs.jsonl  predictions.npz  weights.safetensors
    running.json                           while the run is at work
    failed.json                            instead of all that, where the run failed
results/<study>/<dataset>/<encoder>/<model>/trial-<n>/
    result.json  epochs.jsonl              the search's runs, which never see the test cases
results/<study>/speed/<device>.json        what each network costs on this machine
results/<study>/optuna.db                  made from the files above at every start
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from nestbench.results.atomic import replacing, write_json, write_text
from nestbench.results.reading import naming, read_json
from nestbench.study.schema import Cell, Run, seed_label
from nestbench.study.words import slug


@dataclass(frozen=True)
class Result:
    """One finished run in numbers. Its cases and epochs lie in files beside it."""

    identity: dict[str, Any]
    """Everything that decides the outcome: run, data, plan."""
    primary: str
    """The output that the member is judged by: ``ensemble`` or ``L<depth>``."""
    validation: float
    """Best validation IoU (0 to 1) of the primary output, by which the weights were chosen."""
    best_epoch: int
    epochs: int
    stopped: str
    """Why training ended: ``patience``, ``epochs`` or ``stopper``."""
    parameters: int
    seconds: float
    """Wall-clock seconds of training, validation included."""
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    """Test scores by output (``L1``.., ``ensemble``) and metric, means over subjects; empty for a search's trial."""
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """Fingerprint of the identity."""
        return fingerprint(self.identity)


@dataclass(frozen=True)
class Epoch:
    """One epoch's line of the learning curve."""

    index: int
    train_loss: float
    validation_loss: float
    """Mean loss over the heads, so that members with one head and with several can be compared."""
    validation_iou: float
    best: bool
    seconds: float


def fingerprint(content: Any) -> str:
    """Short hash of plain data, the same on every machine."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cell_folder(study: Path, cell: Cell) -> Path:
    """Folder of a cell below the study's results folder."""
    return study.joinpath(*(slug(part) for part in cell.key))


def run_folder(study: Path, run: Run) -> Path:
    """Folder of a run below the study's results folder."""
    return cell_folder(study, run.cell) / run.label


def seed_folder(study: Path, cell: Cell, seed: int) -> Path:
    """Folder of a cell's run with a reported seed."""
    return cell_folder(study, cell) / seed_label(seed)


def write_epochs(folder: Path, epochs: list[Epoch]) -> None:
    """Write the learning curve, one JSON object a line."""
    write_text(folder / "epochs.jsonl", "".join(json.dumps(asdict(e), allow_nan=False) + "\n" for e in epochs))


def write_cases(folder: Path, cases: pd.DataFrame) -> None:
    """Write the per-case counts (the columns are those of ``nestbench.results.scores``)."""
    with replacing(folder / "cases.parquet") as beside:
        cases.to_parquet(beside, index=False)


def write_objects(folder: Path, objects: pd.DataFrame) -> None:
    """Write the sizes of a data set's objects, a row for each object of each case."""
    with replacing(folder / "objects.parquet") as beside:
        objects.to_parquet(beside, index=False)


def write_result(folder: Path, result: Result) -> None:
    """Write ``result.json``, after every other file of the run: that it exists means that the run is done."""
    write_json(folder / "result.json", asdict(result) | {"hash": result.hash})
    (folder / "failed.json").unlink(missing_ok=True)


def write_failure(folder: Path, reason: str) -> None:
    """Record why a run failed; it is tried again on the next start."""
    write_json(folder / "failed.json", {"reason": reason})


def read_result(folder: Path) -> Result | None:
    """The run's result, or None where it is not done.

    Raises RequestError for a file that is not ours, naming it.
    """
    path = folder / "result.json"
    if not path.exists():
        return None
    content = read_json(path)
    with naming(path):
        found = content.pop("hash")
        result = Result(**content)
        if result.hash != found:
            raise ValueError("its identity was changed after it was written")
    return result


def read_failure(folder: Path) -> str | None:
    """Why the run failed the last time, or None."""
    path = folder / "failed.json"
    with naming(path):
        return str(read_json(path)["reason"]) if path.exists() else None


def read_epochs(folder: Path) -> list[Epoch]:
    """The learning curve of a finished run."""
    path = folder / "epochs.jsonl"
    with naming(path):
        return [Epoch(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def read_cases(folder: Path) -> pd.DataFrame:
    """The per-case counts of a finished run."""
    path = folder / "cases.parquet"
    with naming(path):
        return pd.read_parquet(path)
