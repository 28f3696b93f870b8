"""Pretrained weights: from the library that made the model, or from a local file of safetensors."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from safetensors import SafetensorError, safe_open

from nestbench.errors import RequestError
from nestbench.hub import fetching

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


def loading(name: str, pretrained: Pretrained) -> AbstractContextManager[None]:
    """Context to load weights of encoder ``name`` in: whatever goes wrong with them is one sentence (RequestError)."""
    if isinstance(pretrained, str):
        return _fitting(name, pretrained)
    local = f"a local copy works: pretrained: {{{name}: FILE.safetensors}}"
    return fetching(name, local) if pretrained else nullcontext()


@contextmanager
def _fitting(name: str, path: str) -> Iterator[None]:
    try:
        yield
    except RequestError:
        raise
    except Exception as error:  # a library raises what it likes of tensors that it has no place for
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise RequestError(f"pretrained weights '{path}' do not fit encoder '{name}' ({said})") from error
