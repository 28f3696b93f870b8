"""Architectures of segmentation-models-pytorch: ``smp:Unet``, ``smp:DeepLabV3Plus`` and any other it has."""

import inspect
import warnings
from typing import Any

import segmentation_models_pytorch as smp
import torch
from segmentation_models_pytorch.encoders import encoders
from timm.models import is_model_pretrained
from torch import nn

from nestbench import hub
from nestbench.errors import RequestError, reason, unknown

ARCHITECTURES: dict[str, type[nn.Module]] = {
    architecture.__name__: architecture for architecture in smp.MODEL_ARCHITECTURES_MAPPING.values()
}


def network(
    variant: str, encoder: str, depth: int, in_channels: int, classes: int, dims: int, pretrained: bool | str
) -> nn.Module:
    """Build an architecture on the encoder that a study names, cut at ``depth`` as the library itself cuts it.

    Raises RequestError for an unknown architecture, for volumes, for an encoder that is neither timm's nor the
    library's own, for a pair of architecture, encoder and depth that the library refuses, and for pretrained weights
    that cannot be had.
    """
    if variant not in ARCHITECTURES:
        raise unknown("smp architecture", variant, ARCHITECTURES)
    if dims != 2:
        raise RequestError(f"'smp:{variant}' is made for 2D images, not for {dims}D")
    if isinstance(pretrained, str):
        raise RequestError(f"'smp:{variant}' takes its library's own pretrained weights only, not '{pretrained}'")
    options = _options(variant, depth) | {
        "encoder_name": _encoder(variant, encoder),
        "encoder_depth": depth,
        "in_channels": in_channels,
        "classes": classes,
    }
    try:
        # What the library refuses it refuses without weights too: what fails with them alone is the fetching.
        with torch.random.fork_rng(devices=[], enabled=pretrained):
            built = _built(variant, options, None)
    except Exception as error:
        raise RequestError(
            f"'smp:{variant}' cannot be built on '{encoder}' at depth {depth}: {reason(error)}"
        ) from error
    if pretrained:
        weights = _weights(encoder, options["encoder_name"])
        with hub.fetching(encoder, "pretrained: false does without them"):
            built = _built(variant, options, weights)
    moved: nn.Module = built.to(torch.get_default_device())
    return moved


def _built(variant: str, options: dict[str, Any], weights: str | None, device: str = "") -> Any:
    device = device or ("meta" if torch.get_default_device().type == "meta" else "cpu")
    try:
        with torch.device(device), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its advice on options that a study does not set
            built: Any = ARCHITECTURES[variant](**options, encoder_weights=weights)
    except RuntimeError:
        if device != "meta":
            raise
        # Some of its encoders read numbers while they are built, which the meta device has none of.
        with torch.random.fork_rng(devices=[]):
            return _built(variant, options, weights, "cpu")
    built.multiple = built.encoder.output_stride
    return built


def _weights(encoder: str, name: str) -> str:
    """Which published weights smp is to take of those that it knows for an encoder: ImageNet's, or else the first.

    Of timm's it takes those that the encoder's name says, whatever it is told.
    """
    known = [*encoders[name]["pretrained_settings"]] if name in encoders else ["imagenet"]
    if not known or (name.startswith("tu-") and not is_model_pretrained(name.removeprefix("tu-"))):
        raise RequestError(f"there are no pretrained weights of encoder '{encoder}'; pretrained: false does without")
    return "imagenet" if "imagenet" in known else known[0]


def _encoder(variant: str, encoder: str) -> str:
    """A study's name of an encoder as smp knows it: timm's by its universal adapter, which drops unused stages."""
    plugin, _, name = encoder.partition(":")
    # A second colon, or smp's own prefix for timm, would let a file of weights name any repository of the hub.
    if plugin not in ("timm", "smp") or not name or ":" in name or name.startswith("tu-"):
        raise RequestError(f"'smp:{variant}' cannot stand on encoder '{encoder}': write timm:<name> or smp:<name>")
    return f"tu-{name}" if plugin == "timm" else name


def _options(variant: str, depth: int) -> dict[str, Any]:
    """What an architecture must be told so that its logits have the image's size at any depth."""
    widths = inspect.signature(ARCHITECTURES[variant]).parameters.get("decoder_channels")
    if widths is not None and not isinstance(widths.default, int):
        return {"decoder_channels": widths.default[-depth:]}
    return {"FPN": {"upsampling": 2 ** max(depth - 3, 0)}, "PSPNet": {"upsampling": 2**depth}}.get(variant, {})
