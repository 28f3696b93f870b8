"""Reading a study file, and telling two studies apart."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from nestbench.errors import RequestError
from nestbench.study.schema import Study
from nestbench.study.sentences import checked, shown

# Keys that only add or remove cells and runs, or are for the report alone: finished results stay true. What an
# encoder begins with, and what a data set is, is compared for those that both studies have.
_GROWS = ("question", "datasets", "encoders", "models", "seeds", "margin", "pretrained")


class _Loader(yaml.SafeLoader):
    """YAML in which a key that is given twice is an error, not silently its last value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                problem = f"the key '{key.value}' is given twice"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_study(path: Path) -> Study:
    """Read and check a study file.

    Raises RequestError with one sentence for a file that is missing, is not YAML, or says what no study can.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise RequestError(f"cannot read the study file '{path}': {reason}") from error
    try:
        content = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise RequestError(f"'{path}' is not YAML{_place(error)}") from error
    if not isinstance(content, dict):
        raise RequestError(f"'{path}' is not a study: it must hold keys such as 'name' and 'datasets'")
    study = checked(f"'{path}'", Study, content)
    study.check_models()
    return study


def dump_study(study: Study) -> str:
    """The study as YAML, every default written out."""
    return yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def differences(old: Study, new: Study) -> list[str]:
    """What the new study changes that finished results of the old one depend on, one phrase each.

    More or fewer seeds, members, encoders and data sets are no difference: their results are kept apart.
    """
    before, after = (s.model_dump(mode="json", exclude=set(_GROWS)) for s in (old, new))
    found = [_phrase(*change) for change in _changes(before, after)]
    shared = [encoder for encoder in old.encoders if encoder in new.encoders]
    begun, begins = ({f"pretrained.{encoder}": s.start(encoder) for encoder in shared} for s in (old, new))
    found += [_phrase(*change) for change in _changes(begun, begins)]
    kept = {d.title: d.model_dump(mode="json") for d in old.datasets}
    for spec in new.datasets:
        if spec.title in kept:
            changed = _changes(kept[spec.title], spec.model_dump(mode="json"), f"{spec.title}.")
            found += [_phrase(*change) for change in changed]
    return found


def _changes(old: Any, new: Any, where: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [c for k in keys for c in _changes(old.get(k), new.get(k), f"{where}{k}.")]
    return [] if old == new else [(where.rstrip("."), old, new)]


def _phrase(where: str, old: Any, new: Any) -> str:
    return f"{where} was {shown(old)} and is now {shown(new)}"


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    return (f" (line {mark.line + 1}, column {mark.column + 1}" + (f": {problem})" if problem else ")")) if mark else ""
