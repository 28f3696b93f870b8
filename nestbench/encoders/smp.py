"""The encoders of segmentation-models-pytorch as one plugin: ``smp:<name>``, e.g. ``smp:mit_b0``."""

from functools import cache, partial
from typing import Any
from warnings import catch_warnings, simplefilter

import torch
from safetensors.torch import load_file
from segmentation_models_pytorch.encoders import encoders, get_encoder
from torch import Tensor, nn

from nestbench.encoders.frame import framed, unframed
from nestbench.encoders.levels import Level, take
from nestbench.encoders.probe import Anatomy, Announced, probe, sample
from nestbench.encoders.stem import fine_features, stem, widths
from nestbench.encoders.unused import Unused, find_unused, idle_names, take_out
from nestbench.encoders.weights import Pretrained, check_file, loading
from nestbench.errors import RequestError, unknown

LEAST, DEEPEST = 2, 5
"""Depths that every encoder of smp's can be built for; most can be for depth 1 too."""


class Smp(nn.Module):
    """An smp encoder's features, with level i at stride 2^i.

    smp's level 0 is the image itself, but for VGG; it, and what else is finer than the encoder's first feature,
    comes from a small convolutional stem. Stages that ``depth`` does not need are not built.

    Raises RequestError for a name that smp does not know, for a depth that the encoder cannot give, and
    for pretrained weights that cannot be had.
    """

    def __init__(self, variant: str, depth: int, in_channels: int, pretrained: Pretrained = False) -> None:
        super().__init__()
        found = anatomy(variant)
        self.frame = found.frame
        self.taken = take(f"smp:{variant}", found, depth)
        missing = depth + 1 - len(self.taken)
        self.stem = stem(missing, in_channels)
        self.trunk = _trunk(variant, self.taken, in_channels, pretrained) if self.taken else None
        self.channels = (*widths(missing), *(level.feature.channels for level in self.taken))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of (N, C, H, W) at strides 1, 2, 4, ..., finest first."""
        features = fine_features(self.stem, image)
        if self.trunk is None:
            return features
        own = self.trunk(framed(image, self.frame))
        return features + [
            unframed(own[level.feature.key], image, self.frame, level.stride, level.exact) for level in self.taken
        ]


@cache
def anatomy(variant: str) -> Anatomy:
    """What the model gives and takes. Raises RequestError for a name that is unknown or gives no features."""
    if variant.startswith("tu-"):
        raise RequestError(f"encoder 'smp:{variant}' is one of timm's: write 'timm:{variant.removeprefix('tu-')}'")
    if variant not in encoders:
        raise unknown("smp encoder", variant, encoders)
    try:
        return probe(lambda: _create(variant, DEEPEST), _real, _announce, native=224)
    except Exception as error:  # an encoder of smp's may raise anything
        raise RequestError(f"smp encoder '{variant}' gives no features that serve as levels: {error}") from error


def _create(variant: str, depth: int, in_channels: int = 3, weights: str | None = None) -> Any:
    build = partial(get_encoder, variant, in_channels=in_channels, depth=depth, weights=weights)
    with catch_warnings():
        simplefilter("ignore", DeprecationWarning)  # of the names that smp itself lists
        try:
            return build()
        except ValueError:
            if depth >= LEAST:
                raise
            return _create(variant, LEAST, in_channels, weights)
        except RuntimeError:
            if torch.get_default_device().type != "meta":
                raise
        # Some of smp's encoders read values from tensors while they are built, which the meta device does not have.
        with torch.device("cpu"), torch.random.fork_rng(devices=[]):
            return build().to("meta")


def _announce(trunk: Any) -> Announced:
    """Of the features that are neither the image nor a place holder without channels."""
    channels = trunk.out_channels
    return {level: (2**level, count) for level, count in enumerate(channels) if count and (level or count != 3)}


def _real(trunk: Any, image: Tensor) -> list[Tensor]:
    features = trunk(image)
    return [features[key] for key in _announce(trunk)]


def _trunk(variant: str, taken: tuple[Level, ...], in_channels: int, pretrained: Pretrained) -> nn.Module:
    _check_pretrained(variant, pretrained)
    with loading(f"smp:{variant}", pretrained):
        trunk: nn.Module = _loaded(variant, taken[-1].level, in_channels, pretrained)
    if idle_names(trunk, frozenset().union(*(level.feature.used for level in taken))):
        take_out(trunk, _unused(variant, taken))
    return trunk


def _loaded(variant: str, depth: int, in_channels: int, pretrained: Pretrained) -> Any:
    """Build the encoder with its weights; a file holds those for three channels, and is adapted as smp does."""
    if not isinstance(pretrained, str):
        settings = [*encoders[variant]["pretrained_settings"]]
        weights = ("imagenet" if "imagenet" in settings else settings[0]) if pretrained else None
        return _create(variant, depth, in_channels, weights)
    trunk = _create(variant, depth)
    trunk.load_state_dict(load_file(pretrained))
    trunk.set_in_channels(in_channels, pretrained=True)
    return trunk


def _check_pretrained(variant: str, pretrained: Pretrained) -> None:
    if isinstance(pretrained, str):
        check_file(pretrained)
    elif pretrained and not encoders[variant]["pretrained_settings"]:
        raise RequestError(f"smp has no pretrained weights for '{variant}'; set pretrained: false or give a file")


@cache
def _unused(variant: str, taken: tuple[Level, ...]) -> Unused:
    """What the encoder still has, though the features taken do not depend on it."""
    keys = [level.feature.key for level in taken]
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            image = sample(anatomy(variant).frame)
            trunk = _create(variant, taken[-1].level)
            return find_unused(trunk, lambda cut: [feature for k, feature in enumerate(cut(image)) if k in keys])
    except Exception as error:  # an encoder of smp's may raise anything
        raise RequestError(f"smp encoder '{variant}' cannot be cut to its first features: {error}") from error
