"""The study's data sets, made ready before any training."""

from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nestbench.datasets.prepared import Prepared, describe
from nestbench.datasets.preparing import prepare
from nestbench.datasets.splits import Split, split_cases
from nestbench.datasets.twins import Twin, Twins, find_twins
from nestbench.errors import RequestError
from nestbench.formats.pictures import Pixels
from nestbench.machine import Plan
from nestbench.results.atomic import sweep, write_json
from nestbench.results.reading import read_json
from nestbench.results.records import fingerprint, write_objects
from nestbench.runner.events import Preparing, Twinned
from nestbench.runner.told import told
from nestbench.study.data import DatasetSpec
from nestbench.study.schema import Run, Study
from nestbench.study.words import slug
from nestbench.work.job import Job


@dataclass(frozen=True)
class Ready:
    """A data set of the study: its arrays and its split."""

    spec: DatasetSpec
    prepared: Prepared
    split: Split
    twins: Twins
    """Cases of different subjects on two sides that show the same."""


def ready_data(study: Study, root: Path, cache: Path) -> Generator[Preparing | Twinned, None, dict[str, Ready]]:
    """Prepare and split every data set, and look for twins on two sides; return them by their title.

    Raises RequestError that names the files at fault.
    """
    ready = {}
    for spec in study.datasets:
        prepared = yield from _prepared(spec, root, cache)
        split = split_cases(prepared.cases, spec.split or prepared.shares)
        if study.task == "instance":
            _check_instances(prepared, spec, split)
        twins = _twins(prepared, split, cache)
        if twins.found:
            yield Twinned(spec.title, twins)
        ready[spec.title] = Ready(spec, prepared, split, twins)
    return ready


def write_data(ready: dict[str, Ready], folder: Path) -> None:
    """Write down in the study's folder what each data set is and how it was split."""
    for title, one in ready.items():
        place = folder / slug(title)
        sweep(place)
        write_json(place / "dataset.json", describe(one.prepared, one.spec, one.split, one.twins))
        write_objects(place, one.prepared.objects())


def make_job(ready: dict[str, Ready], plan: Plan, folder: Path, run: Run, **manners: Any) -> Job:
    """A run with all that a worker needs for it; ``manners`` are what changes nothing of its outcome."""
    one = ready[run.cell.dataset.title]
    return Job(run, one.prepared.folder, one.prepared.content, one.split, plan, folder, **manners)


def _check_instances(prepared: Prepared, spec: DatasetSpec, split: Split) -> None:
    """Raise RequestError for a data set in which no objects can be learnt."""
    if prepared.dims == 3:
        raise RequestError(f"data set '{spec.title}' holds volumes, and task 'instance' takes pictures")
    if not prepared.has_instances:
        raise RequestError(
            f"data set '{spec.title}' does not tell objects apart, so task 'instance' cannot be learnt on it "
            "(nuclei, synthetic and coco do, and folder with instances: true)"
        )
    if not prepared.objects()["case"].isin([prepared.cases[i].id for i in split.train]).any():
        raise RequestError(
            f"data set '{spec.title}' has no object in its {len(split.train)} training cases, so task 'instance' "
            "cannot be learnt on it"
        )


def _twins(prepared: Prepared, split: Split, cache: Path) -> Twins:
    """The twins of a split, looked for once on this machine."""
    path = cache / f"twins-{fingerprint([prepared.content, asdict(split)])}.json"
    try:
        kept = read_json(path)
        return Twins(
            tuple(Twin(**twin | {"sides": tuple(twin["sides"])}) for twin in kept["found"]), kept["passed_over"]
        )
    except (RequestError, KeyError, TypeError):
        images = (_unlayered(prepared.image(position), prepared.dims) for position in range(len(prepared.cases)))
        twins = find_twins(images, prepared.cases, split)
        with suppress(OSError, RequestError):  # a full disk: they are looked for again the next time
            write_json(path, asdict(twins))
        return twins


def _unlayered(image: Pixels, dims: int) -> Pixels:
    """A picture without the D of 1 that it is stored with."""
    return image if dims == 3 else image[0]


def _prepared(spec: DatasetSpec, root: Path, cache: Path) -> Generator[Preparing, None, Prepared]:
    def work(say: Callable[[Preparing], None]) -> Prepared:
        return prepare(spec, root, cache, lambda done, total: say(Preparing(spec.title, done, total)))

    return told(work)
