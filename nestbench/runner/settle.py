"""What is settled before any training: names, the machine's plan, and that old results belong to this study."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from nestbench import plugins
from nestbench.datasets.open import open_dataset
from nestbench.errors import RequestError
from nestbench.machine import Plan, choose_plan
from nestbench.model.build import count_parameters
from nestbench.results.atomic import writable, write_json, write_text
from nestbench.runner.job import network_spec
from nestbench.study.files import differences, dump_study, read_study
from nestbench.study.schema import Search, Study


def check_names(study: Study, root: Path) -> None:
    """Look up every name of the study and build every network without memory.

    Raises RequestError for a name that does not exist and for a depth that an encoder cannot give.
    """
    for loss in _losses(study):
        plugins.find("loss", loss)
    opened = {spec.title: open_dataset(spec, root) for spec in study.datasets}
    for cell in study.cells():
        data = opened[cell.dataset.title]
        count_parameters(network_spec(cell, data.channels, len(data.classes)))


def settle_study(study: Study, folder: Path) -> None:
    """Make the results folder the study's own.

    Raises RequestError where it cannot be written to, and where results of a study that differs lie in it.
    """
    writable(folder)
    path = folder / "study.yaml"
    if path.exists():
        changed = differences(read_study(path), study)
        if changed:
            raise RequestError(
                f"the results in '{folder}' belong to another study: {'; '.join(changed)}; "
                "give the new study a name of its own, or move the folder away"
            )
    write_text(path, dump_study(study))


def settle_plan(folder: Path, device: str, workers: int) -> Plan:
    """The plan that the study began with, or the one that suits this machine; threads are shared among workers.

    Raises RequestError where the study began on another device than is asked for or is here.
    """
    path = folder / "plan.json"
    if not path.exists():
        plan = choose_plan(device, workers)
        write_json(path, asdict(plan))
        return plan
    kept = Plan(**json.loads(path.read_text(encoding="utf-8")))
    if device not in ("auto", kept.device):
        raise RequestError(f"the study in '{folder}' began on device '{kept.device}': '{device}' cannot go on with it")
    return replace(kept, threads=choose_plan(kept.device, workers).threads)


def _losses(study: Study) -> Sequence[str]:
    searched = study.search.space.get("loss", []) if isinstance(study.search, Search) else []
    return [study.recipe.loss, *(str(loss) for loss in searched)] if isinstance(searched, list) else [study.recipe.loss]
