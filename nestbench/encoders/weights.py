"""Pretrained weights: from the library that made the model, or from a local file of safetensors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open

from nestbench.errors import RequestError

Pretrained = bool | str
"""No weights, the library's own, or the path of a local .safetensors file."""


def check_file(path: str) -> set[str]:
    """Names of the tensors in a local file of weights.

    Raises RequestError for a suffix other than .safetensors (a pickle is never loaded) and for a file that is not one.
    """
    if Path(path).suffix != ".safetensors":
        raise RequestError(f"pretrained weights '{path}' are not a .safetensors file; no other kind is loaded")
    try:
        with safe_open(path, framework="pt") as file:
            return set(file.keys())
    except (OSError, SafetensorError) as error:
        raise RequestError(f"pretrained weights cannot be read from '{path}': {error}") from error


@contextmanager
def loading(name: str, pretrained: Pretrained) -> Iterator[None]:
    """Turn whatever goes wrong while weights of encoder ``name`` are loaded into one sentence (RequestError)."""
    try:
        yield
    except RequestError:
        raise
    except Exception as error:  # the hub's client raises what its own transport raises
        if not pretrained:
            raise
        said = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {said[:200]}" if said else type(error).__name__
        raise RequestError(_sentence(name, pretrained, reason)) from error


def _sentence(name: str, pretrained: Pretrained, reason: str) -> str:
    if isinstance(pretrained, str):
        return f"pretrained weights '{pretrained}' do not fit encoder '{name}' ({reason})"
    return (
        f"pretrained weights of encoder '{name}' cannot be fetched ({reason}); "
        "a local copy works: pretrained: FILE.safetensors"
    )
