"""The contracts that plugins promise, as checks that a plugin's own tests can call.

from nestbench.testing import check_encoder

def test_my_encoder_keeps_the_contract():
    check_encoder("mine:small", depth=4)
"""

from typing import Any

import numpy as np
import torch

from nestbench import plugins
from nestbench.datasets.contract import Dataset
from nestbench.model import build, prune


def check_encoder(
    name: str, depth: int = 4, in_channels: int = 3, sizes: tuple[tuple[int, int], ...] = ((64, 64), (65, 97))
) -> None:
    """Assert that an encoder keeps its promises.

    Level i has stride 2^i at odd sizes too, channels are as announced, every parameter gets a gradient, one state of
    the generator gives the same weights at any depth, and pruning changes nothing.

    ``name`` is as in a study file, with the variant behind the colon.
    """
    for height, width in sizes:
        _check_features(name, depth, in_channels, height, width)
    _check_repeatable(name, depth, in_channels)
    _check_pruning(name, depth, in_channels)


def check_dataset(dataset: Dataset, cases: int = 3) -> None:
    """Assert that a data set keeps its promises for its first cases.

    Shapes and types are as stated, masks hold declared classes only, and reading twice gives the same.
    """
    listed = dataset.cases()
    assert listed, "a data set has at least one case, or raises RequestError"
    assert len({case.id for case in listed}) == len(listed), "ids of cases are unique"
    assert dataset.cases() == listed, "cases come in the same order each time"
    assert len(dataset.classes) >= 2, "the first class is the background"
    for case in listed[:cases]:
        image, mask, instances = dataset.read(case)
        assert image.dtype == np.uint8
        assert mask.dtype == np.uint8
        assert image.shape == (*mask.shape, dataset.channels)
        assert mask.max() < len(dataset.classes), "a mask holds indices of the declared classes"
        assert np.array_equal(image, dataset.read(case).image), "a case reads the same each time"
        if instances is not None:
            assert np.array_equal(instances > 0, mask > 0), "objects are where the mask is"


def _encoder(name: str, depth: int, in_channels: int) -> torch.nn.Module:
    plugin, variant = plugins.find("encoder", name)
    torch.manual_seed(0)
    encoder: torch.nn.Module = plugin(variant, depth, in_channels, False)
    return encoder


def _channels(encoder: torch.nn.Module) -> Any:
    return encoder.channels


def _check_features(name: str, depth: int, in_channels: int, height: int, width: int) -> None:
    encoder = _encoder(name, depth, in_channels)
    features = encoder(torch.randn(2, in_channels, height, width))
    assert [f.shape[1] for f in features] == list(_channels(encoder)), "channels are as announced, finest first"
    assert len(features) == depth + 1, "there is a feature for each level from 0 to depth"
    for level, feature in enumerate(features):
        for actual, side in zip(feature.shape[-2:], (height, width), strict=True):
            assert side // 2**level <= actual <= -(-side // 2**level), f"level {level} has stride {2**level}"
    torch.autograd.backward(torch.stack([f.float().mean() for f in features]).sum())
    without = [n for n, p in encoder.named_parameters() if p.grad is None]
    assert not without, f"every parameter is used: {without[:3]} get no gradient"


def _check_repeatable(name: str, depth: int, in_channels: int) -> None:
    first, again = (_encoder(name, depth, in_channels).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], again[key]) for key in first), "one seed gives one set of weights"
    shallow = _encoder(name, 1, in_channels).state_dict()
    assert all(torch.equal(first[key], value) for key, value in shallow.items()), "a shallower encoder is a part of it"


def _check_pruning(name: str, depth: int, in_channels: int) -> None:
    torch.manual_seed(0)
    model = build("unet++ds", name, depth, in_channels=in_channels).eval()
    image = torch.randn(1, in_channels, 65, 97)
    with torch.no_grad():
        whole = model(image)
        for d in range(1, depth + 1):
            assert torch.equal(prune(model, d)(image)[d], whole[d]), f"pruning to depth {d} changes nothing"


__all__ = ["check_dataset", "check_encoder"]
