"""The contracts that ship: they pass what keeps them and catch what does not."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from nestbench import plugins
from nestbench.errors import RequestError
from nestbench.testing import ENCODER_CHECKS, check_encoder


class Pooled(nn.Module):
    """An encoder as a plugin's author would write it: it knows nothing of nestbench."""

    def __init__(self, variant, depth, in_channels, pretrained):
        super().__init__()
        width = int(variant or 4)
        self.channels = (width,) * (depth + 1)
        self.levels = nn.ModuleList(nn.Conv2d(i, width, 3, padding=1) for i in (in_channels, *self.channels[1:]))

    def forward(self, image):
        features = [self.levels[0](image)]
        for level in self.levels[1:]:
            features.append(level(nn.functional.avg_pool2d(features[-1], 2)))
        return features


class Coarse(Pooled):
    def forward(self, image):
        return super().forward(nn.functional.avg_pool2d(image, 2))


class Backwards(Pooled):
    def forward(self, image):
        return super().forward(image)[::-1]


class Idle(Pooled):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.unused = nn.Linear(1, 1)


class Unannounced(Pooled):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.channels = (5,) * len(self.channels)


class Noisy(Pooled):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        nn.init.normal_(self.levels[0].weight, generator=torch.Generator().manual_seed(torch.seed() % 2**32))


class Deeper(Pooled):
    def __init__(self, variant, depth, in_channels, pretrained):
        torch.rand(depth)
        super().__init__(variant, depth, in_channels, pretrained)


class Big(Pooled):
    def forward(self, image):
        if image.shape[-1] < 16:
            raise ValueError("too small")
        return super().forward(image)


class Doubled(Pooled):
    def forward(self, image):
        return [feature.double() for feature in super().forward(image)]


class Thawing(Pooled):
    def forward(self, image):
        self.requires_grad_(True)
        return super().forward(image)


class Fixed(Pooled):
    def forward(self, image):
        return [feature.reshape([int(side) for side in feature.shape]) for feature in super().forward(image)]


class Wasteful(Pooled):
    """Builds all of itself whatever the depth."""

    def __init__(self, variant, depth, in_channels, pretrained):
        super().__init__(variant, 4, in_channels, pretrained)
        self.channels = self.channels[: depth + 1]

    def forward(self, image):
        features = [self.levels[0](image)]
        for level in self.levels[1 : len(self.channels)]:
            features.append(level(nn.functional.avg_pool2d(features[-1], 2)))
        idle = sum(p.sum() for level in self.levels[len(self.channels) :] for p in level.parameters())
        return [features[0] + 0 * idle, *features[1:]]


class Raising(Pooled):
    def forward(self, image):
        raise ZeroDivisionError


def install(monkeypatch, encoder):
    point = SimpleNamespace(load=lambda: encoder, dist=None, module="mine")
    monkeypatch.setattr(plugins, "available", lambda kind: {"mine": point})


def test_a_plugin_that_keeps_the_contract_passes(monkeypatch):
    install(monkeypatch, Pooled)
    check_encoder("mine:6", depth=3)


@pytest.mark.parametrize(
    ("encoder", "wants"),
    [
        (Coarse, "level i has stride 2"),
        (Backwards, "finest first"),
        (Idle, "Every parameter .* gets a gradient .* 2 get none, as 'unused.weight'"),
        (Unannounced, "announces how many channels .* It announces \\[5, .* and gives \\[6, "),
        (Noisy, "One state of torch's generator gives one set of weights"),
        (Deeper, "a shallower encoder has a part"),
        (Big, "An image of 2\\^depth pixels a side is large enough"),
        (Doubled, "Features of a float32 image are float32"),
        (Thawing, "With requires_grad False"),
        (Fixed, "batch of any size"),
        (Wasteful, "drops what the head does not need"),
        (Raising, "But it raised ZeroDivisionError"),
    ],
)
def test_a_plugin_that_breaks_the_contract_is_told_what_it_wants(monkeypatch, encoder, wants):
    install(monkeypatch, encoder)
    with pytest.raises(AssertionError, match=wants):
        check_encoder("mine:6", depth=2)


def test_every_check_says_what_the_contract_wants():
    assert all(check.__doc__ and check.__doc__.endswith(".") for check in ENCODER_CHECKS)


def test_a_wrong_request_is_not_a_broken_promise():
    with pytest.raises(RequestError, match="cannot give depth 9"):
        check_encoder("timm:test_vit", depth=9)
