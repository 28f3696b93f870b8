"""Networks in formats that other programs run: torch's exported program, and ONNX.

Batch and size stay open: any batch, and any image from ``least_side`` pixels a side. Images go in as training saw
them: resized, and each brought to mean 0 and standard deviation 1. Logits come out, one output a head.
"""

import copy
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from operator import floordiv
from pathlib import Path
from typing import Any
from unittest.mock import patch
from warnings import catch_warnings

import torch
from torch import Tensor, _meta_registrations
from torch.export import Dim, ExportedProgram
from torch.fx.experimental import _config

from nestbench.errors import RequestError, reason
from nestbench.model.build import AnyNetwork
from nestbench.model.detector import refuse_detector
from nestbench.model.files import UNSAID, Use, describe
from nestbench.model.size import network_size
from nestbench.model.spec import OutsideSpec, Spec
from nestbench.results.atomic import replacing

try:
    import onnxruntime
except ImportError:  # it comes with the extra 'export'
    onnxruntime = None

TOLERANCE = 1e-4
"""Largest difference of a logit, absolute for small ones and relative for large ones."""

_ONNX_LIMIT = 2**31
_LARGEST = 512
"""Pixels a side: whether a network takes an image is tried up to here."""
_ROUND = 32
"""A side that needs no padding, or little, in networks that pad images to multiples of 16 or 32."""
_AXES = ("depth", "height", "width")

Logits = Mapping[int, Tensor]


def write_torch(model: AnyNetwork, path: Path, about: Use = UNSAID) -> float:
    """Write what ``torch.export.load`` reads, whole or not at all; spec and use are extra files in it.

    What was written is read again and run beside the network at sizes it was not traced at: the largest difference
    is returned. Raises RequestError where the network cannot be traced, or the difference is above TOLERANCE.
    """
    with replacing(path) as beside:
        with beside.open("wb") as file:
            torch.export.save(trace(model), file, extra_files=describe(model.spec, about))
        # Older torch warns of how it reads, and below of its own obsolete classes: nothing that a user can mend.
        with beside.open("rb") as file, catch_warnings(action="ignore", category=UserWarning):
            again = torch.export.load(file).module()
        return _verify(model, again)


def write_onnx(model: AnyNetwork, path: Path, about: Use = UNSAID) -> float | None:
    """Write ONNX, whole or not at all: input ``image``, outputs ``L1`` .., spec and use among the metadata.

    Returns the largest difference between ONNX Runtime's output and the network's, at sizes it was not traced at;
    None where ONNX Runtime is not installed. Raises RequestError as ``write_torch`` does, and for a network that one
    ONNX file cannot hold.
    """
    require_onnx()
    if sum(t.numel() * t.element_size() for t in model.state_dict().values()) > _ONNX_LIMIT:
        raise RequestError("an ONNX file holds at most 2 GiB of weights, and the network has more: use --format torch")
    names = [f"L{depth}" for depth in model.spec.heads]
    traced = trace(model)
    with catch_warnings(action="ignore", category=FutureWarning):
        program = torch.onnx.export(traced, dynamo=True, input_names=["image"], output_names=names, verbose=False)
    if program is None:
        raise RequestError("torch wrote no ONNX")
    program.model.metadata_props.update(describe(model.spec, about))
    with replacing(path) as beside:
        program.save(beside)
        return _verify(model, _in_onnxruntime(beside, model.spec.heads)) if onnxruntime else None


def require_onnx() -> None:
    """Make sure that the packages which write ONNX are installed.

    Raises RequestError that says how to install them.
    """
    missing = [package for package in ("onnx", "onnxscript") if importlib.util.find_spec(package) is None]
    if missing:
        raise RequestError(f"to write ONNX, {' and '.join(missing)} must be installed: pip install 'nestbench[export]'")


def trace(model: AnyNetwork) -> ExportedProgram:
    """The network as one graph, in evaluation mode, float32 and on the CPU; ``model`` stays as it is.

    Raises RequestError for a network that torch cannot trace.
    """
    refuse_detector(model.spec)
    least = least_side(model.spec)
    sides = {2 + axis: Dim(name, min=least) for axis, name in enumerate(_AXES[-model.spec.dims :])}
    # Sides that differ, of no special form: torch takes what it finds equal, or even, for a law.
    example = _image(model, 2, [(4 + 2 * axis) * least + 1 for axis in range(model.spec.dims)])
    with _answering(model, "cannot be exported"), _oblivious():
        program = torch.export.export(
            _reference(model),
            (example,),
            dynamic_shapes=({0: Dim("batch"), **sides},),
            strict=False,
            # What torch cannot prove of sizes, such as that a pooled side is shorter, is not forbidden in advance.
            prefer_deferred_runtime_asserts_over_guards=True,
        )
    return _generalised(program)


@contextmanager
def _oblivious() -> Iterator[None]:
    """Let torch make no law of what holds for the sizes that it traces alone, neither of being contiguous nor even."""
    # Older torch asks for a remainder where it pools, and binds every size to the answer; floor division is the same.
    unasked = patch.object(_meta_registrations, "div_rtn", floordiv, create=True)
    with _config.patch(backed_size_oblivious=True), unasked:  # type: ignore[attr-defined]
        yield


def least_side(spec: Spec) -> int:
    """Pixels a side from which an exported network takes images: 2^(depth + 1), doubled until the network takes it."""
    least = side = int(2 ** (spec.depth + 1))
    while side <= _LARGEST and not _takes(spec, side):
        side *= 2
    return side if side <= _LARGEST else least


def _takes(spec: Spec, side: int) -> bool:
    with suppress(RequestError):
        network_size(spec, side)
        return True
    return False


def _generalised(program: ExportedProgram) -> ExportedProgram:
    """Take out the assertions that a size is not some special one, such as a batch of one.

    Torch puts them where it traced the general case. That holds for the special one too, as ``_verify`` finds out.
    """
    graph = program.graph
    for node in graph.find_nodes(op="call_function", target=torch.ops.aten._assert_scalar.default):
        if getattr(node.args[0], "target", None) is torch.sym_not:
            graph.erase_node(node)
    graph.eliminate_dead_code()
    program.graph_module.recompile()
    return program


@torch.no_grad()
def _verify(model: AnyNetwork, exported: Callable[[Tensor], Logits]) -> float:
    """Largest difference of logits at the least size, an odd one and a round one, none of them that of the tracing."""
    traced, largest, least = _reference(model), 0.0, least_side(model.spec)
    round_side = max(least, _ROUND)
    for batch, first, others in ((1, least, least), (3, 2 * least - 1, least + 1), (2, 2 * round_side, round_side)):
        image = _image(model, batch, [first] + [others] * (model.spec.dims - 1))
        ours = traced(image)
        with _answering(model, f"was exported, but fails at {' x '.join(map(str, image.shape[2:]))} pixels"):
            theirs = exported(image)
        for depth, logits in ours.items():
            difference = (logits - theirs[depth]).abs()
            largest = max(largest, float(difference.max()))
            if not (difference <= TOLERANCE * logits.abs().clamp_min(1)).all():
                raise RequestError(f"the exported network differs from its source by {largest:.1e} at L{depth}")
    return largest


@contextmanager
def _answering(model: AnyNetwork, failure: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a network of anybody's may raise anything
        name = f"'{model.spec.name}'" if isinstance(model.spec, OutsideSpec) else "the network"
        raise RequestError(f"{name} on encoder '{model.spec.encoder}' {failure}: {reason(error)}") from error


def _in_onnxruntime(path: Path, heads: tuple[int, ...]) -> Callable[[Tensor], Logits]:
    options: Any = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # a network that fails here is answered in our one sentence
    session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(image: Tensor) -> Logits:
        outputs = session.run([f"L{depth}" for depth in heads], {"image": image.numpy()})
        return {depth: torch.from_numpy(values) for depth, values in zip(heads, outputs, strict=True)}

    return run


def _reference(model: AnyNetwork) -> AnyNetwork:
    return copy.deepcopy(model).to("cpu", torch.float32).eval()


def _image(model: AnyNetwork, batch: int, sides: list[int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, model.spec.in_channels, *sides, generator=generator)
