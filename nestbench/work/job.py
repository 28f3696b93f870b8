"""What a worker process, here or elsewhere, is asked to do."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nestbench.datasets.contract import Dataset
from nestbench.datasets.open import seen_dims
from nestbench.datasets.prepared import Prepared
from nestbench.datasets.splits import Split
from nestbench.machine import Plan
from nestbench.model import Spec
from nestbench.model.build import specify
from nestbench.results.reading import hashed
from nestbench.results.records import fingerprint
from nestbench.study.models import is_detector
from nestbench.study.schema import Cell, Run

Stop = Callable[[], bool]
"""Whether the run is to write its checkpoint and let go."""


@dataclass(frozen=True)
class Job:
    """A run and all it needs: where its data are prepared, their split, the plan, and the folder of the study."""

    run: Run
    prepared: Path
    content: str
    split: Split
    plan: Plan
    folder: Path
    parts: int = 1
    """In how many parts a batch passes through the network (``train.masks_lesson``)."""
    tensorboard: bool = False
    """Whether the run writes logs for TensorBoard."""
    every: float = 60.0
    """Seconds between two checkpoints: what a run that is killed loses at most, beside the step that it was at."""

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides the outcome. The processor's name does not: results travel."""
        plan = asdict(self.plan)
        start = self.run.cell.pretrained
        return {
            "run": self.run.model_dump(mode="json"),
            "data": self.content,
            "split": fingerprint(asdict(self.split)),
            "plan": {key: plan[key] for key in ("device", "precision", "memory_format")},
        } | ({"weights": hashed(start)} if isinstance(start, str) else {})


def network_spec(cell: Cell, data: Dataset | Prepared) -> Spec:
    """The network of a cell for the channels and classes of a data set.

    Two classes are one logit, and so is a detector's one kind of objects.
    """
    logits = 1 if len(data.classes) == 2 or is_detector(cell.model) else len(data.classes)
    dims = seen_dims(cell.dataset, data.dims)
    return specify(cell.model, cell.encoder, cell.depth, cell.block, data.channels, logits, dims)
