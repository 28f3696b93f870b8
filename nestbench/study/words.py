"""What a study file is made of: frozen data, and names that may be folders."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


def slug(name: str) -> str:
    """A name as one part of a path: ``timm:resnet18`` becomes ``timm-resnet18``."""
    return re.sub(r"[^A-Za-z0-9.+_-]", "-", name)


def _as_folder(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ValueError(f"'{name}' must be letters, digits, '.', '_' and '-': results are kept in a folder of it")
    return name


FolderName = Annotated[str, AfterValidator(_as_folder)]


class Frozen(BaseModel):
    """Data that nobody changes and in which a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
