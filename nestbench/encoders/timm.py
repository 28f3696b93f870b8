"""All of timm as one encoder plugin: ``timm:<name>``, e.g. ``timm:resnet18``."""

from functools import cache, partial
from typing import Any

import timm
import torch
from timm.models import FeatureHookNet
from timm.models.hrnet import HighResolutionNetFeatures
from torch import Tensor, nn

from nestbench.encoders.frame import framed, unframed
from nestbench.encoders.levels import Level, projections, quarters, take
from nestbench.encoders.probe import Anatomy, Announced, pad_valid, probe, sample
from nestbench.encoders.stem import fine_features, stem, widths
from nestbench.encoders.unused import Unused, find_unused, idle_names, take_out
from nestbench.encoders.weights import Pretrained, check_file, loading
from nestbench.errors import RequestError, unknown


class Timm(nn.Module):
    """A timm model's features, with level i at stride 2^i whatever the model's own strides.

    Levels finer than the model's first feature come from a small convolutional stem beside it, so that
    depth 4 means the same on every encoder and heads see the full resolution. A transformer with one
    stride throughout gives a pyramid (``levels.py``). What ``depth`` does not need is not built.

    Raises RequestError for a name that timm does not know, for a depth that the model cannot give, and
    for pretrained weights that cannot be had.
    """

    def __init__(self, variant: str, depth: int, in_channels: int, pretrained: Pretrained = False) -> None:
        super().__init__()
        found = anatomy(variant)
        self.frame = found.frame
        self.taken = take(f"timm:{variant}", found, depth)
        missing = depth + 1 - len(self.taken)
        self.stem = stem(missing, in_channels)
        self.trunk = _trunk(variant, self.taken, in_channels, pretrained) if self.taken else None
        self.project = projections(found, self.taken)
        own = widths(depth + 1)[missing:] if self.project else tuple(t.feature.channels for t in self.taken)
        self.channels = (*widths(missing), *own)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of (N, C, H, W) at strides 1, 2, 4, ..., finest first."""
        features = fine_features(self.stem, image)
        if self.trunk is None:
            return features
        own = _read(self.trunk, framed(image, self.frame))
        if self.project:
            own = [project(feature) for project, feature in zip(self.project, own, strict=True)]
        return features + [
            unframed(feature, image, self.frame, level.stride, level.exact)
            for feature, level in zip(own, self.taken, strict=True)
        ]


def names(pattern: str = "") -> list[str]:
    """Names of timm's models that can give features, narrowed by a shell pattern such as ``*resnet*``."""
    return [str(n) for n in timm.list_models(pattern)]


def _read(trunk: nn.Module, image: Tensor) -> list[Tensor]:
    """Features as (N, C, H, W), also of a model that keeps its channels last."""
    features: list[Tensor] = trunk(image)
    last = getattr(trunk, "output_fmt", None) == "NHWC"
    return [f.permute(0, 3, 1, 2) for f in features] if last else features


@cache
def anatomy(variant: str) -> Anatomy:
    """What the model gives and takes. Raises RequestError for a name that is unknown or gives no features."""
    if not variant:
        raise RequestError("'timm:' names no model; write one behind the colon, e.g. 'timm:resnet18'")
    name, _, tag = variant.partition(".")
    if not timm.is_model(name) or (tag and variant not in timm.list_pretrained(f"{name}.*")):
        raise unknown("timm encoder", variant, timm.list_pretrained(f"{name}.*") or timm.list_models())
    try:
        return probe(partial(_spread, variant), _read, _announce, _native(variant))
    except Exception as error:  # a model without features says so in its own way
        raise RequestError(f"timm encoder '{variant}' gives no features that serve as levels: {error}") from error


def _native(variant: str) -> int:
    """The side of the images that the model was made for."""
    config = timm.get_pretrained_cfg(variant)
    return int(config.input_size[-1]) if config else 224


def _announce(trunk: nn.Module) -> Announced:
    info: Any = trunk.feature_info
    return dict(zip(info.out_indices, zip(info.reduction(), info.channels(), strict=True), strict=True))


def _spread(variant: str, **options: Any) -> nn.Module:
    """Build the model with the features that can serve as levels.

    timm's own choice, but where that has one stride only: then the last feature of each stride, or, where there is
    one stride throughout, the blocks of a pyramid.
    """
    trunk = _create(variant, **options)
    info: Any = trunk.feature_info
    if len(set(info.reduction())) > 1:
        return trunk
    last = {stage["reduction"]: index for index, stage in enumerate(info.info)}
    chosen = tuple(last.values()) if len(last) > 1 else quarters(len(info.info))
    return _create(variant, out_indices=chosen, **options)


def _create(variant: str, pretrained: Pretrained = False, **options: Any) -> nn.Module:
    """Build timm's own extractor of features; one that works by hooks, and so keeps every stage, is replaced."""
    if isinstance(pretrained, str):
        options["pretrained_cfg_overlay"] = {"file": pretrained, "custom_load": False}
    trunk: nn.Module = timm.create_model(variant, features_only=True, pretrained=bool(pretrained), **options)
    if isinstance(trunk, FeatureHookNet | HighResolutionNetFeatures) and "feature_cls" not in options:
        return _create(variant, pretrained, feature_cls="getter", **options)
    return trunk


def _trunk(variant: str, taken: tuple[Level, ...], in_channels: int, pretrained: Pretrained) -> nn.Module:
    _check_pretrained(variant, pretrained)
    with loading(f"timm:{variant}", pretrained):
        trunk = _cut(variant, taken, in_chans=in_channels, pretrained=pretrained)
        _check_loaded(trunk, pretrained)
    if idle_names(trunk, frozenset().union(*(level.feature.used for level in taken))):
        take_out(trunk, _unused(variant, taken))
    return trunk


def _cut(variant: str, taken: tuple[Level, ...], **options: Any) -> nn.Module:
    found = anatomy(variant)
    indices = tuple(level.feature.key for level in taken)
    trunk = _create(variant, out_indices=indices, **dict(found.options), **options)
    if found.padded:
        pad_valid(trunk)
    return trunk


@cache
def _unused(variant: str, taken: tuple[Level, ...]) -> Unused:
    """What the model still has, though the features taken do not depend on it."""
    try:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            image = sample(anatomy(variant).frame)
            return find_unused(_cut(variant, taken), lambda trunk: _read(trunk, image))
    except Exception as error:  # a model of timm's may raise anything
        raise RequestError(f"timm encoder '{variant}' cannot be cut to its first features: {error}") from error


def _check_pretrained(variant: str, pretrained: Pretrained) -> None:
    if isinstance(pretrained, str):
        check_file(pretrained)
    elif pretrained and not timm.models.is_model_pretrained(variant):
        raise RequestError(
            f"timm has no pretrained weights for '{variant}'; "
            f"set pretrained: false or give a file: {{timm:{variant}: FILE.safetensors}}"
        )


def _check_loaded(trunk: nn.Module, pretrained: Pretrained) -> None:
    """Raise ValueError for a file that lacks some of the model's parameters, which timm lets pass for many models."""
    if not isinstance(pretrained, str):
        return
    held = {_flat(name) for name in check_file(pretrained)}
    missing = sorted(name for name, _ in trunk.named_parameters() if _flat(name) not in held)
    if missing:
        raise ValueError(f"{len(missing)} of its parameters are missing, as '{missing[0]}'")


def _flat(name: str) -> str:
    """A parameter's name whatever timm's extractor made of it: ``model.layer1.0.w`` and ``layer1_0.w`` are one."""
    return name.removeprefix("model.").replace(".", "_")
