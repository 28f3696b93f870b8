"""What a model from elsewhere gives and takes, found by passing shapes through it on the meta device."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nestbench.encoders.frame import Frame
from nestbench.encoders.unused import follow, used_names
from nestbench.errors import reason

SIZES = ((65, 97), (64, 64))
"""Heights and widths to try: some models lose a pixel of an even side, others of an odd one."""

Make = Callable[..., nn.Module]
"""Builds the model, given options of its own, for images of three channels."""
Announced = dict[int, tuple[int, int]]
"""Stride and channels of each feature, by the keys under which the model knows them, finest first."""
Announce = Callable[[nn.Module], Announced]
Read = Callable[[nn.Module, Tensor], Sequence[Tensor]]
"""Takes those features (N, C, H, W) of an image from the model."""


class Feature(NamedTuple):
    """One of a model's features: its key and stride as announced, its channels, and what it depends on."""

    key: int
    stride: int
    channels: int
    exact: bool
    """Whether it has the size that its stride promises."""
    used: frozenset[str]
    """Names of the parameters that it depends on."""


class Anatomy(NamedTuple):
    """A model's features, finest first, the frame that it needs, and the options that it is built with."""

    features: tuple[Feature, ...]
    frame: Frame
    options: tuple[tuple[str, Any], ...] = ()
    padded: bool = False
    """Whether its 3x3 convolutions and poolings are to be given the padding that they lack."""


def probe(make: Make, read: Read, announce: Announce, native: int) -> Anatomy:
    """Find the least restricted way in which a model gives features of the sizes that their strides promise.

    ``native`` is the side of the images that the model was made for. Raises RuntimeError with the model's own
    reason where there is no way: that of the padded one if there is one, since it is the nearest to the model's own.
    """
    reasons: dict[bool, str] = {}
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        for model, tried, options, padded in _ways(make, announce, native):
            follow(model)
            try:
                features, frame = _features(model, read, announce(model), tried)
            except Exception as error:  # a model of anybody's may raise anything at a size that it cannot take
                reasons[padded] = _said(error)
            else:
                return Anatomy(features, frame, tuple(options.items()), padded)
    raise RuntimeError(reasons[True in reasons])


def pad_valid(model: nn.Module) -> bool:
    """Give 3x3 convolutions and poolings without padding a padding of 1, so that strides are kept; whether any was."""
    found = [m for m in model.modules() if _is_valid(m)]
    for module in found:
        setattr(module, "padding", (1, 1) if isinstance(module, nn.Conv2d) else 1)  # noqa: B010 (two kinds of module)
    return bool(found)


def sample(frame: Frame) -> Tensor:
    """Two images without content that fit the frame."""
    return next(_images(frame))


def _said(error: Exception) -> str:
    said = reason(error)
    return "the model reads values from tensors, and only shapes are known" if "meta tensors" in said else said


def _ways(make: Make, announce: Announce, native: int) -> Iterator[tuple[nn.Module, Frame, dict[str, Any], bool]]:
    """Ways to try, the least restricted first: any size, multiples, options of timm's, padding, the native size."""
    plain = make()
    strides = [stride for stride, _ in announce(plain).values()]
    options: dict[str, Any]
    for options in ({}, {"dynamic_img_size": True}, {"strict_img_size": False}):
        try:
            model = make(**options) if options else plain
        except TypeError:  # a model without this option
            continue
        for side in dict.fromkeys((1, min(strides), max(strides), 2 * max(strides))):
            yield model, Frame(side), options, False
    padded = make()
    if pad_valid(padded):
        yield padded, Frame(), {}, True
    for frame in (Frame(native), Frame(native, tile=True)):
        yield plain, frame, {}, False


def _images(frame: Frame) -> Iterator[Tensor]:
    """Images of awkward sizes and of even ones, as far as the frame allows."""
    side = frame.side
    small = [(frame.least, 2 * frame.least)] if frame.least > 1 else []
    awkward = [(-(-height // side), -(-width // side)) for height, width in (*SIZES, *small)]
    large = [(1, 1)] if frame.tile else [(1, 2), (3, 1)]
    for rows, columns in awkward if side < 64 else large:
        yield torch.empty(2, 3, rows * side, columns * side)


def _features(model: nn.Module, read: Read, announced: Announced, frame: Frame) -> tuple[tuple[Feature, ...], Frame]:
    """Pass images through the model. Raises RuntimeError for features of other sizes or channels than announced."""
    strides, channels = zip(*announced.values(), strict=True)
    coarsest, exact = max(strides), [True] * len(announced)
    if frame.side < coarsest and not _takes(model, read, max(frame.side, coarsest // 2)):
        frame = frame._replace(least=coarsest)
    *others, last = _images(frame)
    for image in (*others, last):
        with torch.set_grad_enabled(image is last):  # what a feature depends on is the same at every size
            features = read(model, image)
        found = tuple(feature.shape[1] for feature in features)
        if found != channels:
            raise RuntimeError(f"features have {found} channels where {channels} were announced")
        losses = [_pixels_off(f, image, s) for f, s in zip(features, strides, strict=True)]
        # A tile's features can be resized, so that a pixel lost at its edge does no harm.
        if max(losses) > int(frame.tile):
            raise RuntimeError(f"features {losses} pixels smaller or larger than their strides promise")
        exact = [e and loss == 0 for e, loss in zip(exact, losses, strict=True)]
    return tuple(
        Feature(key, stride, count, e, used_names(model, [feature]))
        for (key, (stride, count)), feature, e in zip(announced.items(), features, exact, strict=True)
    ), frame


def _takes(model: nn.Module, read: Read, side: int) -> bool:
    """Whether the model takes an image smaller than a pixel of its coarsest feature."""
    try:
        with torch.no_grad():
            read(model, torch.empty(2, 3, side, side))
    except Exception:  # a model of anybody's may raise anything at a size that it cannot take
        return False
    return True


def _pixels_off(feature: Tensor, image: Tensor, stride: int) -> int:
    """How far, in its own pixels, a feature's sides lie outside of what its stride allows, rounded up or down."""
    sides = zip(feature.shape[2:], image.shape[2:], strict=True)
    return max(max(side // stride - actual, actual - -(-side // stride), 0) for actual, side in sides)


def _is_valid(module: nn.Module) -> bool:
    """Whether it is a 3x3 convolution or pooling without padding; a subclass may pad by itself."""
    return (
        type(module) in {nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d}
        and module.kernel_size in {3, (3, 3)}
        and module.padding in {0, (0, 0)}
    )
