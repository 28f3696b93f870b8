import pytest
import torch
from torch import nn

from nestbench.encoders.unused import Nothing, Passing, find_unused, take_out


class Staged(nn.Module):
    """Two stages and a head; only the first stage's feature is taken."""

    def __init__(self):
        super().__init__()
        self.stages = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3))
        self.head = nn.Linear(5, 2)
        self.token = nn.Parameter(torch.zeros(1))

    def forward(self, image):
        first, *_ = features = [image := stage(image) for stage in self.stages]
        self.head(features[-1].mean((2, 3))) if isinstance(self.head, nn.Linear) else None
        return [first]


class Summed(nn.Module):
    """Two branches of different shapes, each summed from both; only the first one is taken."""

    def __init__(self):
        super().__init__()
        self.kept = nn.Conv2d(3, 4, 3)
        self.fuse = nn.ModuleList([nn.Conv2d(3, 5, 3), nn.Conv2d(3, 5, 3)])

    def forward(self, image):
        taken = self.kept(image)
        other = self.fuse[0](image) + self.fuse[1](image) + torch.zeros(5, 1, 1, device=image.device)
        return [taken, other][:1]


class Tangled(Summed):
    """What is not taken cannot do without its parts."""

    def forward(self, image):
        return [self.kept(image), torch.cat([self.fuse[0](image), torch.zeros(2, 5, 4, 4, device=image.device)])][:1]


def found(model):
    image = torch.empty(2, 3, 6, 6, device="meta")
    return find_unused(model.to("meta"), lambda trunk: trunk(image))


def test_what_no_feature_depends_on_is_found_module_by_module():
    unused = found(Staged())
    assert unused.modules == ("stages.1", "head")
    assert unused.parameters == ("token",)
    assert unused.stand_in is Passing


def test_taking_out_leaves_the_features_as_they_are():
    model = Staged()
    unused, image = found(Staged()), torch.randn(2, 3, 6, 6)
    before = model(image)[0]
    take_out(model, unused)
    assert torch.equal(model(image)[0], before)
    assert [name for name, _ in model.named_parameters()] == ["stages.0.weight", "stages.0.bias"]


def test_a_sum_that_is_not_taken_becomes_a_sum_of_nothing():
    assert found(Summed()).stand_in in {Passing, Nothing}


def test_parts_that_cannot_be_taken_out_are_named():
    with pytest.raises(RuntimeError, match=r"4 parameters .* cannot be taken out, as fuse"):
        found(Tangled())


def test_nothing_is_a_zero_that_any_sum_can_take():
    zero = Nothing()([torch.ones(2, 3)], "more")
    assert torch.equal(torch.ones(4) + zero, torch.ones(4))
