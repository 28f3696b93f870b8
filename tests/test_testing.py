"""The contracts that ship: they pass what keeps them and catch what does not."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from nestbench import plugins
from nestbench.testing import check_encoder


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


def install(monkeypatch, encoder):
    point = SimpleNamespace(load=lambda: encoder, dist=None, module="mine")
    monkeypatch.setattr(plugins, "available", lambda kind: {"mine": point})


def test_a_plugin_that_keeps_the_contract_passes(monkeypatch):
    install(monkeypatch, Pooled)
    check_encoder("mine:6")


@pytest.mark.parametrize("encoder", [Coarse, Backwards, Idle, Unannounced, Noisy])
def test_a_plugin_that_breaks_the_contract_is_caught(monkeypatch, encoder):
    install(monkeypatch, encoder)
    with pytest.raises(AssertionError):
        check_encoder("mine:6")
