"""Networks by the name of their member."""

from dataclasses import replace
from functools import cache

import torch

from nestbench import plugins
from nestbench.encoders.blocks import Dims, Name
from nestbench.model.detector import Detector
from nestbench.model.network import Network
from nestbench.model.outside import Outside
from nestbench.model.spec import DetectorSpec, ModelSpec, OutsideSpec, Spec
from nestbench.study.models import check_model, is_outside, split_depth
from nestbench.topology import DETECTORS, MEMBERS, parse, topology

AnyNetwork = Network | Outside | Detector


def build(
    name: str,
    encoder: str = "plain",
    depth: int = 4,
    block: Name = "modern",
    in_channels: int = 1,
    classes: int = 1,
    dims: Dims = 2,
    pretrained: bool | str = False,
) -> AnyNetwork:
    """Build a network by its name, e.g. ``build("unet++ds", encoder="timm:resnet18", in_channels=3)``.

    ``classes`` is the number of channels of the logits: 1 for two classes (sigmoid), else one a class. ``dims`` is 3
    for volumes. ``pretrained`` takes the encoder's published weights, or those of a local safetensors file.
    Raises RequestError for an unknown name, and for a depth that the encoder cannot give.
    """
    return construct(specify(name, encoder, depth, block, in_channels, classes, dims), pretrained)


def specify(
    name: str,
    encoder: str = "plain",
    depth: int = 4,
    block: Name = "modern",
    in_channels: int = 1,
    classes: int = 1,
    dims: Dims = 2,
) -> Spec:
    """Resolve a name, of a member of the family or like ``smp:Unet``, into the data that its network is built from.

    Raises RequestError for an unknown name.
    """
    check_model(name, depth)
    if is_outside(name):
        plain, own = split_depth(name, depth)
        return OutsideSpec(plain, encoder, own, in_channels, classes, dims)
    member, own = parse(name, depth)
    if member in DETECTORS:
        return DetectorSpec(topology(name, depth), encoder, block, in_channels, classes, dims)
    spec = ModelSpec(topology(name, depth), encoder, block, in_channels, classes, dims=dims)
    return _widened(spec, replace(spec, topology=topology("unet++", own))) if MEMBERS[member].wide else spec


def construct(spec: Spec, pretrained: bool | str = False) -> AnyNetwork:
    """Build the network that ``spec`` describes; raises RequestError for a name, depth or weights that do not exist."""
    if isinstance(spec, DetectorSpec):
        return Detector(spec, pretrained)
    return Outside(spec, pretrained) if isinstance(spec, OutsideSpec) else Network(spec, pretrained)


def count_parameters(spec: Spec) -> int:
    """Number of the network's parameters, counted on the meta device: no memory, no weights."""
    with torch.device("meta"):
        return sum(p.numel() for p in construct(spec).parameters())


@cache
def _widened(spec: ModelSpec, reference: ModelSpec) -> ModelSpec:
    """The least width at which ``spec`` has at least the reference's parameters.

    An encoder of the decoder's own blocks is widened with it, which gives the papers' 35 .. 560; any other
    encoder stays as it is and the decoder alone is widened.
    """
    target = count_parameters(reference)
    low, high = 1, 2
    while count_parameters(_with_width(spec, high)) < target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if count_parameters(_with_width(spec, middle)) >= target else (middle, high)
    return _with_width(spec, high)


def _with_width(spec: ModelSpec, width: int) -> ModelSpec:
    plugin, _ = plugins.find("encoder", spec.encoder)
    if getattr(plugin, "of_blocks", False):
        return replace(spec, encoder=f"{spec.encoder.partition(':')[0]}:{width}")
    return replace(spec, width=width)
