"""What a network costs before it is trained: parameters and floating-point operations."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from nestbench.errors import RequestError, reason
from nestbench.model.build import AnyNetwork, construct
from nestbench.model.detector import Detector
from nestbench.model.spec import OutsideSpec, Spec


@dataclass(frozen=True)
class Size:
    """Parameters, and operations (two a multiply-add) of one image's forward pass."""

    parameters: int
    flops: int


def network_size(spec: Spec, image_size: int) -> Size:
    """Count on the meta device, without memory or weights, for one image or volume of ``image_size`` a side.

    Of a detector's operations those of the encoder, the pyramid and the proposals: the heads' grow with what is found.

    Raises RequestError for a size that the network cannot take.
    """
    _check_size(spec, image_size)
    with _meta_pass(spec, f"an image of {_shape(spec, image_size)} pixels"):
        model = construct(spec).eval()
        with FlopCounterMode(display=False) as counter:
            pass_through(model, torch.empty(1, spec.in_channels, *(image_size,) * spec.dims))
    return Size(sum(p.numel() for p in model.parameters()), counter.get_total_flops())


def check_training(spec: Spec, image_size: int, batch: int) -> None:
    """Pass the shapes of a training batch through the network.

    Raises RequestError for a size, or a batch too small for batch norm, that it cannot train on.
    """
    _check_size(spec, image_size)
    with _meta_pass(spec, f"{batch} images of {_shape(spec, image_size)} pixels at once"):
        pass_through(construct(spec).train(), torch.empty(batch, spec.in_channels, *(image_size,) * spec.dims))


def pass_through(model: AnyNetwork, images: Tensor) -> None:
    """Give a network images on the meta device; a detector does what it does for every image: no object is there."""
    if isinstance(model, Detector):
        model.dense(images)
    else:
        model(images)


@contextmanager
def _meta_pass(spec: Spec, what: str) -> Iterator[None]:
    try:
        with torch.device("meta"), torch.no_grad():
            yield
    except RequestError:
        raise
    except Exception as error:  # an encoder of anybody's may raise anything
        outside = f"'{spec.name}' on " if isinstance(spec, OutsideSpec) else ""
        name = f"{outside}encoder '{spec.encoder}' at depth {spec.depth}"
        raise RequestError(f"{name} cannot take {what}: {reason(error)}") from error


def _check_size(spec: Spec, image_size: int) -> None:
    least = 2**spec.depth
    if image_size < least:
        raise RequestError(f"size {image_size} is too small: a network of depth {spec.depth} takes {least} or more")


def _shape(spec: Spec, image_size: int) -> str:
    return " x ".join([str(image_size)] * spec.dims)
