"""Files of weights: safetensors with the spec inside, so that the file alone rebuilds the network."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import reduce
from math import prod
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from nestbench.errors import RequestError
from nestbench.instances.ways import Way
from nestbench.model.build import AnyNetwork, construct
from nestbench.model.spec import ModelSpec, Spec, read_spec
from nestbench.results.atomic import replacing
from nestbench.study.data import MAX_SIZE, Percentiles, Spacing, Window
from nestbench.study.sentences import shown

SPEC, USE = "nestbench", "nestbench.use"
"""Keys of the metadata: the spec and the Use, each as JSON."""

_DTYPES = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64}
"""Types of weights that networks compute in, by their names in a safetensors file."""


@dataclass(frozen=True)
class Use:
    """What one must know of the training to use the weights on new images."""

    size: Annotated[int, Field(strict=True, gt=0, le=MAX_SIZE)] | None = None
    """Pixels a side that training resized every image to; None where they were taken as they are."""
    classes: tuple[str, ...] = ()
    """Names of the classes, the background first; empty where they are not known."""
    patch: Annotated[int, Field(strict=True, gt=0, le=MAX_SIZE)] | None = None
    """Pixels a side of the windows that training saw; None where it saw whole images."""
    window: Window | None = None
    """Values that became 0 and 255 in every image; None where images have their own."""
    percentiles: Percentiles = (0.5, 99.5)
    """Percentiles of each image that became 0 and 255, where its values were no brightness."""
    spacing: Spacing | None = None
    """Millimetres between neighbours that training resampled to; None where images kept theirs."""
    marks: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Where each channel of an image has a file of its own: what its name holds (``Prepared.marks``)."""
    apart: Way | None = None
    """How the training told objects apart; None where it learned the classes of pixels alone."""


UNSAID = Use()
_USE = TypeAdapter(Use)


def save(model: AnyNetwork, path: Path | str, about: Use = UNSAID) -> None:
    """Write weights, spec and use to one safetensors file, whole or not at all."""
    tensors = {name: t.detach().contiguous().cpu() for name, t in model.state_dict().items()}
    with replacing(Path(path)) as beside:
        save_file(tensors, beside, metadata=describe(model.spec, about))
        _sort_metadata(beside)


def _sort_metadata(path: Path) -> None:
    """Bring the metadata into order: safetensors writes it in one drawn at random, and like weights are like files."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        file.seek(8)
        file.write(text.ljust(length))


def load(path: Path | str) -> AnyNetwork:
    """Rebuild the network that ``save`` wrote, on the CPU, in evaluation mode and in the type of the file's weights.

    Where the weights are of several types, the network is of one that holds them all. Its shapes are compared with
    the file's before it is built. Raises RequestError for a file that is missing or damaged, is not safetensors, was
    not written by nestbench, or does not fit the network that it describes.
    """
    with _opened(path) as file, torch.random.fork_rng(devices=[]):
        spec = _spec(file, path)
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 (not a dict)
        _check_channels(spec, shapes, path)
        _compare(_shapes(spec, path), shapes, path)
        model = construct(spec).to(_dtype(file))
        model.load_state_dict({name: file.get_tensor(name) for name in shapes})
    return model.eval()


def read_use(path: Path | str) -> Use:
    """Read the use alone; a file that was written without one gives ``UNSAID``.

    Raises RequestError as ``load`` does.
    """
    with _opened(path) as file:
        content = _parsed((file.metadata() or {}).get(USE, "{}"), path)
    try:
        return _USE.validate_python(content)
    except ValidationError as error:
        what = ".".join(map(str, error.errors()[0]["loc"]))
        raise RequestError(f"'{path}' does not say '{what}' of its training in a form that is known") from error


def describe(spec: Spec, about: Use) -> dict[str, str]:
    """The metadata of a file of weights, in whatever format."""
    return {SPEC: json.dumps(spec.to_json()), USE: json.dumps(asdict(about))}


@contextmanager
def _opened(path: Path | str) -> Iterator[Any]:
    if Path(path).exists() and not Path(path).is_file():
        raise RequestError(f"cannot read weights from '{path}': it is a folder, or something else that is no file")
    try:
        with safe_open(str(path), framework="pt") as file:
            yield file
    except OSError as error:
        said = error.strerror or str(error).removesuffix(f": {path}")  # safetensors says the path too
        raise RequestError(f"cannot read weights from '{path}': {said}") from error
    except SafetensorError as error:
        raise RequestError(
            f"cannot read weights from '{path}': it is no safetensors file, or a damaged one ({error}); "
            "other formats are never loaded"
        ) from error


def _parsed(text: str, path: Path | str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"'{path}' describes its network in words that are not JSON: {error}") from error
    if not isinstance(content, dict):
        raise RequestError(f"'{path}' describes its network by {type(content).__name__}, and it must be an object")
    return content


def _spec(file: Any, path: Path | str) -> Spec:
    described = (file.metadata() or {}).get(SPEC)
    if described is None:
        raise RequestError(f"'{path}' holds weights, but not of a network that nestbench saved")
    content = _parsed(described, path)
    with _describing(path):
        return read_spec(content)


def _dtype(file: Any) -> torch.dtype:
    """The type that holds every weight of a file; float32 where they are of types that no network computes in."""
    kinds = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 (not a dict)
    found = [_DTYPES[kind] for kind in kinds & _DTYPES.keys()]
    return reduce(torch.promote_types, found) if found else torch.float32


def _check_channels(spec: Spec, shapes: dict[str, tuple[int, ...]], path: Path | str) -> None:
    """Refuse more channels than the file has values, since finding a network's shapes may take memory for them."""
    held = sum(prod(shape) for shape in shapes.values())
    width = spec.width if isinstance(spec, ModelSpec) else None
    # Levels below a pruned network's stay in its width.
    levels = width[: spec.depth] if isinstance(width, tuple) else (width or 1,)
    for what, count in {"in_channels": spec.in_channels, "classes": spec.classes, "width": max(levels)}.items():
        if count > held:
            raise RequestError(
                f"'{path}' does not fit the network that it describes: {what} is {shown(count)}, but it holds "
                f"{held} values in all"
            )


def _shapes(spec: Spec, path: Path | str) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of a network, found on the meta device as far as the libraries that make it allow.

    An encoder of smp's takes memory all the same: for its first convolution, or for the whole of it.
    """
    with _describing(path), torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in construct(spec).state_dict().items()}


@contextmanager
def _describing(path: Path | str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # metadata that someone wrote by hand, and an encoder of anybody's, may raise anything
        kind = "" if isinstance(error, RequestError) else f"{type(error).__name__}: "
        reason = kind + " ".join(str(error).partition("\n")[0].split())
        raise RequestError(f"'{path}' describes a network that cannot be built here: {reason}") from error


def _compare(wanted: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]], path: Path | str) -> None:
    """Refuse a file by the first tensor that does not fit."""
    for name, shape in wanted.items():
        if name not in found:
            raise RequestError(f"'{path}' does not fit the network that it describes: it holds no '{name}'")
        if found[name] != shape:
            raise RequestError(
                f"'{path}' does not fit the network that it describes: '{name}' has the shape "
                f"{list(found[name])} instead of {list(shape)}"
            )
    for name in sorted(found.keys() - wanted.keys()):
        raise RequestError(f"'{path}' does not fit the network that it describes: it holds '{name}' besides")
