import pytest
import torch
from torch import nn

from nestbench.encoders.stand_ins import Blank, Nothing, Passing
from nestbench.encoders.unused import find_unused, idle_names, own_names, take_out


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


class Activated(nn.Module):
    """An activation in place follows what is not taken, so that without it the taken feature would be changed."""

    def __init__(self):
        super().__init__()
        self.stages = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(inplace=True)))

    def forward(self, image):
        return [image := stage(image) for stage in self.stages][:1]


class Dense(nn.ModuleDict):
    """A block with a forward of its own, which concatenates what its parts give."""

    def forward(self, image):
        return torch.cat([image, *(part(image) for part in self.values())], 1)


class Blocked(nn.Module):
    """A dense block behind the taken feature, and a convolution that wants as many channels as it gives."""

    def __init__(self):
        super().__init__()
        self.kept, self.block, self.head = nn.Conv2d(3, 4, 3), Dense({"a": nn.Conv2d(4, 5, 1)}), nn.Conv2d(9, 2, 1)

    def forward(self, image):
        taken = self.kept(image)
        self.head(self.block(taken))
        return [taken]


class Fused(nn.Module):
    """Two branches of different widths, each fused with the other's first token; only the second one is taken."""

    def __init__(self):
        super().__init__()
        self.forth, self.back = (nn.ModuleList([nn.Linear(a, b), nn.Linear(b, a)]) for a, b in ((4, 6), (6, 4)))

    def forward(self, image):
        tokens = [image.flatten(2)[..., :width] for width in (4, 6)]
        first = [project(part[:, :1]) for project, part in zip(self.forth, tokens, strict=True)]
        mixed = [torch.cat([first[i], tokens[1 - i][:, 1:]], 1) for i in (0, 1)]
        return [back(part) for back, part in zip(self.back, mixed, strict=True)][1:]


class Fixed(nn.Module):
    """Of two parameters that are never trained one is read and the other one is not."""

    def __init__(self):
        super().__init__()
        self.kept = nn.Conv2d(3, 4, 3)
        self.unread = nn.Parameter(torch.zeros(7), requires_grad=False)
        self.read = nn.Parameter(torch.zeros(4, 1, 1), requires_grad=False)

    def forward(self, image):
        taken = self.kept(image)
        _ = taken + self.read
        return [taken]


class Counting(Fixed):
    """Holds whole numbers as a parameter, which no gradient can reach."""

    def __init__(self):
        super().__init__()
        self.order = nn.Parameter(torch.tensor([2, 0, 1, 3]), requires_grad=False)

    def forward(self, image):
        return [super().forward(image)[0][:, self.order]]


class Flattened(nn.Module):
    """A branch that is not taken halves the height, and is concatenated with what averages halve."""

    def __init__(self):
        super().__init__()
        self.kept, self.branch = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 3, 3, (2, 1), 1)

    def forward(self, image):
        torch.cat([nn.functional.avg_pool2d(image, (2, 1), ceil_mode=True), self.branch(image)], 1)
        return [self.kept(image)]


def found(model):
    image = torch.empty(2, 3, 6, 6, device="meta")
    return find_unused(model.to("meta"), lambda trunk: trunk(image))


def kinds(unused):
    return {name: type(stand_in) for name, stand_in in unused.modules}


def test_what_no_feature_depends_on_is_found_module_by_module():
    unused = found(Staged())
    assert kinds(unused) == {"stages.1": Passing, "head": Passing}
    assert unused.parameters == ("token",)


@pytest.mark.parametrize("kind", [Staged, Summed, Activated, Blocked, Fused, Fixed, Counting])
def test_taking_out_leaves_the_features_as_they_are(kind):
    model, image = kind(), torch.randn(2, 3, 6, 6)
    before = model(image)[0]
    take_out(model, found(kind()))
    after = model(image)[0]
    assert torch.equal(after, before)
    after.sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.is_floating_point())


def test_a_sum_that_is_not_taken_becomes_a_sum_of_nothing():
    assert kinds(found(Summed())) == {"fuse.0": Nothing, "fuse.1": Nothing}


def test_an_activation_in_place_goes_with_the_sequence_that_it_belongs_to():
    assert kinds(found(Activated())) == {"stages.1": Passing}


def test_a_block_that_is_called_goes_as_a_whole():
    assert kinds(found(Blocked())) == {"block": Passing, "head": Passing}


def test_a_concatenation_that_is_not_taken_is_given_zeros_of_the_width_that_it_wants():
    assert kinds(found(Fused())) == {"forth.0": Blank, "back.0": Blank}


def test_a_parameter_that_is_never_trained_goes_unless_it_is_read():
    unused, model = found(Fixed()), Fixed()
    assert (unused.parameters, unused.read) == (("unread",), ("read",))
    take_out(model, unused)
    assert sorted(model.state_dict()) == ["kept.bias", "kept.weight", "read"]


def test_whole_numbers_are_left_where_they_are():
    unused = found(Counting())
    assert (unused.parameters, unused.read) == (("unread",), ("read",))
    assert idle_names(Counting(), ()) == {"kept.weight", "kept.bias", "read", "unread"}


def test_zeros_never_stand_for_a_side_that_depends_on_the_images_size():
    with pytest.raises(RuntimeError, match=r"2 parameters .* cannot be taken out, as branch\.bias"):
        found(Flattened())


def test_zeros_have_the_shape_of_what_is_given_but_for_one_side():
    assert torch.equal(Blank(1, 5)(torch.ones(2, 3, 4)), torch.zeros(2, 5, 4))


def test_a_features_own_parameters_are_those_that_none_before_it_depends_on():
    model = Staged()
    features = [first := model.stages[0](torch.randn(1, 3, 6, 6)), model.stages[1](first), first * 2]
    assert own_names(model, features) == [
        {"stages.0.weight", "stages.0.bias"},
        {"stages.1.weight", "stages.1.bias"},
        set(),
    ]


def test_parts_that_cannot_be_taken_out_are_named():
    with pytest.raises(RuntimeError, match=r"4 parameters .* cannot be taken out, as fuse"):
        found(Tangled())


def test_nothing_is_a_zero_that_any_sum_can_take():
    zero = Nothing()([torch.ones(2, 3)], "more")
    assert torch.equal(torch.ones(4) + zero, torch.ones(4))
