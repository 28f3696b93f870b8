"""Reading a study file, and telling two studies apart."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from nestbench.errors import RequestError
from nestbench.study.schema import DatasetSpec, Recipe, Search, Study

# Keys that only add or remove cells and runs, or are words for the reader: finished results stay true.
_GROWS = ("question", "datasets", "encoders", "models", "seeds")


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
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RequestError(f"'{path}' is not YAML{_place(error)}") from error
    if not isinstance(content, dict):
        raise RequestError(f"'{path}' is not a study: it must hold keys such as 'name' and 'datasets'")
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        raise RequestError(f"'{path}': {sentence(error, Study)}") from error
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
    kept = {d.title: d.model_dump(mode="json") for d in old.datasets}
    for spec in new.datasets:
        if spec.title in kept:
            changed = _changes(kept[spec.title], spec.model_dump(mode="json"), f"{spec.title}.")
            found += [_phrase(*change) for change in changed]
    return found


def sentence(error: ValidationError, model: type[BaseModel]) -> str:
    """The first of pydantic's complaints as one sentence: where, what, and the nearest key that exists."""
    # A misspelt key is missing under its right name too; the misspelling says more.
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in first["loc"] if str(part).isidentifier() or isinstance(part, int))
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        keys = _keys_at(first["loc"], model)
        near = get_close_matches(key, keys, n=1, cutoff=0.4)
        guess = f"; did you mean '{near[0]}'?" if near else ""
        return f"unknown key '{where}'{guess} (allowed: {', '.join(keys)})"
    if first["type"] == "missing":
        return f"the key '{where}' is missing"
    if first["type"] == "value_error":
        return f"{where}: {first['ctx']['error']}" if where else str(first["ctx"]["error"])
    message = first["msg"][0].lower() + first["msg"][1:]
    return f"{where} is {_shown(first['input'])}, but {message}"


def _keys_at(location: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    inner: dict[str, type[BaseModel]] = {"recipe": Recipe, "search": Search, "datasets": DatasetSpec}
    head = str(location[0]) if len(location) > 1 else ""
    return list(inner.get(head, model).model_fields)


def _changes(old: Any, new: Any, where: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [c for k in keys for c in _changes(old.get(k), new.get(k), f"{where}{k}.")]
    return [] if old == new else [(where.rstrip("."), old, new)]


def _phrase(where: str, old: Any, new: Any) -> str:
    return f"{where} was {_shown(old)} and is now {_shown(new)}"


def _shown(value: Any) -> str:
    text = "not given" if value is None else repr(value)
    return text if len(text) < 60 else f"{text[:56]}..."


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    return (f" (line {mark.line + 1}, column {mark.column + 1}" + (f": {problem})" if problem else ")")) if mark else ""
