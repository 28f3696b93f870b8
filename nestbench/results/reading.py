"""Files that someone else wrote: what is wrong with one is said with its name."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from nestbench.errors import RequestError, reason


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong while ``path`` is read into a RequestError that names it."""
    try:
        yield
    except KeyError as error:
        raise RequestError(f"cannot read '{path}': it has no {error}") from error
    except (OSError, ValueError, TypeError, BadZipFile) as error:
        raise RequestError(f"cannot read '{path}': {getattr(error, 'strerror', None) or reason(error)}") from error


def hashed(path: Path | str) -> str:
    """SHA-256 of a file's content. Raises RequestError that names the file where it cannot be read."""
    with naming(Path(path)), Path(path).open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises RequestError that names the file where there is none.
    """
    with naming(path):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it does not hold a JSON object")  # noqa: TRY004 (of the file's content, not of a call)
        return content
