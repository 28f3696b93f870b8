"""Whether runs that are to be compared were tested on the same cases."""

from pathlib import Path

from nestbench.errors import RequestError
from nestbench.results.records import Result
from nestbench.study.schema import Run


def refuse_two_tests(folder: Path, finished: list[tuple[Run, Result]]) -> None:
    """Raise RequestError where runs of one data set saw other contents of it, or another split, with both runs."""
    seen: dict[str, tuple[Run, object]] = {}
    for run, result in finished:
        title, own = run.cell.dataset.title, [result.identity.get(key) for key in ("data", "split")]
        first, its = seen.setdefault(title, (run, own))
        if its != own:
            raise RequestError(
                f"the results in '{folder}' hold two test sets under the name '{title}': '{first}' and '{run}' differ "
                "in the data or in its split; give one of them a label of its own, or run it again"
            )
