"""The check of pruning: a level that only pools may add nothing, and nothing idle may stay."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional

from nestbench import plugins
from nestbench.testing import Subject
from nestbench.testing.encoders import pruning


class Pooling(nn.Module):
    """A convolution at the finest level; each deeper level is a pooling alone."""

    def __init__(self, variant, depth, in_channels, pretrained):
        super().__init__()
        self.channels = (4,) * (depth + 1)
        self.first = nn.Conv2d(in_channels, 4, 3, padding=1)

    def forward(self, image):
        features = [self.first(image)]
        while len(features) < len(self.channels):
            features.append(self.deeper(features[-1], len(features)))
        return features

    def deeper(self, feature, level):
        return functional.avg_pool2d(feature, 2)


class Counting(Pooling):
    """Holds whole numbers as a parameter, which no gradient can reach."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.order = nn.Parameter(torch.tensor([1, 0, 3, 2]), requires_grad=False)

    def forward(self, image):
        return [feature[:, self.order] for feature in super().forward(image)]


class Wasteful(Pooling):
    """Has the convolution of its deepest level at every depth, trained or not."""

    trained = True

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.deepest = nn.Conv2d(4, 4, 1).requires_grad_(self.trained)

    def deeper(self, feature, level):
        pooled = super().deeper(feature, level)
        return self.deepest(pooled) if level == 2 else pooled


class Frozen(Wasteful):
    trained = False


class Entangled(Wasteful):
    """Adds what it does not need times zero, so that everything seems used."""

    def forward(self, image):
        first, *others = super().forward(image)
        if len(self.channels) == 2:
            first = first + 0 * sum(p.sum() for p in self.deepest.parameters())
        return [first, *others]


@pytest.fixture
def subject(monkeypatch):
    def installed(encoder):
        point = SimpleNamespace(load=lambda: encoder, dist=None, module="mine")
        monkeypatch.setattr(plugins, "available", lambda kind: {"mine": point})
        return Subject("mine", 2, sizes=((16, 17),))

    return installed


@pytest.mark.parametrize("encoder", [Pooling, Counting])
def test_a_level_that_only_pools_need_not_add_parameters(subject, encoder):
    pruning(subject(encoder))


@pytest.mark.parametrize("encoder", [Wasteful, Frozen])
def test_a_part_that_no_feature_needs_never_passes_trained_or_not(subject, encoder):
    with pytest.raises(AssertionError, match="At depth 1 2 parameters are kept that no feature needs, as 'deepest"):
        pruning(subject(encoder))


def test_a_level_of_its_own_parameters_must_add_them(subject):
    with pytest.raises(AssertionError, match="At depth 2 it has no more parameters than at depth 1"):
        pruning(subject(Entangled))
