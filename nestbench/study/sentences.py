"""What pydantic finds wrong with someone's words, in one sentence."""

from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nestbench.errors import RequestError

Checked = TypeVar("Checked", bound=BaseModel)

_WANTED = {
    "model_type": "must hold keys and their values",
    "dict_type": "must hold keys and their values",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
}


def checked(what: str, model: type[Checked], content: Any) -> Checked:
    """Read ``content`` as the model.

    Raises RequestError with one sentence that begins with ``what`` and says where, what, and the nearest key.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        said = _sentence(error, model)
        # Where all that was read is at fault, there is no place in it to be named after a colon.
        raise RequestError(f"{what}{said}" if said.startswith(" is ") else f"{what}: {said}") from error


def shown(value: Any) -> str:
    """A value as it may stand in a sentence."""
    text = "not given" if value is None else repr(value)
    return text if len(text) < 60 else f"{text[:56]}..."


def _sentence(error: ValidationError, model: type[BaseModel]) -> str:
    # A misspelt key is missing under its right name too; the misspelling says more.
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in first["loc"] if _is_key(part))
    if first["type"] == "extra_forbidden":
        return _unknown(where, first, model)
    if first["type"] == "missing":
        return f"the key '{where}' is missing"
    if first["type"] == "value_error":
        return f"{where}: {first['ctx']['error']}" if where else str(first["ctx"]["error"])
    message = first["msg"][0].lower() + first["msg"][1:]
    return f"{where} is {shown(first['input'])}, but {_WANTED.get(first['type'], message)}"


def _is_key(part: int | str) -> bool:
    """Whether a part of pydantic's place is a key of the file, not the name of a type that was tried."""
    return isinstance(part, int) or (part.isidentifier() and part[0].islower())


def _unknown(where: str, error: ErrorDetails, model: type[BaseModel]) -> str:
    keys = list(_model_at(error["loc"][:-1], model).model_fields)
    near = get_close_matches(str(error["loc"][-1]), keys, n=1, cutoff=0.4)
    guess = f"; did you mean '{near[0]}'?" if near else ""
    return f"unknown key '{where}'{guess} (allowed: {', '.join(keys)})"


def _model_at(place: tuple[int | str, ...], model: type[BaseModel]) -> type[BaseModel]:
    """The model that the keys at ``place`` belong to."""
    for part in place:
        field = model.model_fields.get(str(part))
        model = next(iter(_models_in(field.annotation)), model) if field else model
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
