"""Whose results lie in a folder."""

from pathlib import Path

from nestbench.errors import RequestError
from nestbench.study.files import differences, read_study
from nestbench.study.schema import Study


def refuse_changed(study: Study, folder: Path) -> None:
    """Raise RequestError where results of a study that differs from this one lie in the folder, with what differs."""
    path = folder / "study.yaml"
    if path.exists() and next(folder.rglob("result.json"), None):
        changed = differences(read_study(path), study)
        if changed:
            raise RequestError(
                f"the results in '{folder}' belong to another study: {'; '.join(changed)}; "
                "give the new study a name of its own, or move the folder away"
            )
