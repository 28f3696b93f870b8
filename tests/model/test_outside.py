import pytest
import torch

from nestbench.errors import RequestError
from nestbench.model import build, load, prune, save
from nestbench.model.build import specify
from nestbench.model.size import check_training, network_size


def outside():
    torch.manual_seed(0)
    return build("smp:Unet", "timm:resnet10t", 3, in_channels=2).eval()


@torch.no_grad()
def test_padding_is_cut_off_again_and_changes_nothing_where_none_is_needed():
    model, image = outside(), torch.randn(1, 2, 24, 40)
    assert torch.equal(model(image)[3], model.inner(image))
    assert model(image[..., :-3, :-5])[3].shape == (1, 1, 21, 35)


@torch.no_grad()
def test_the_file_alone_rebuilds_a_network_of_another_library(tmp_path):
    model, image = outside(), torch.randn(1, 2, 32, 32)
    save(model, tmp_path / "weights.safetensors")
    again = load(tmp_path / "weights.safetensors")
    assert again.spec == model.spec
    assert torch.equal(again(image)[3], model(image)[3])


@torch.no_grad()
def test_pruned_to_its_own_depth_it_stays_what_it_is_and_to_any_other_it_is_refused():
    model, image = outside(), torch.randn(1, 2, 32, 32)
    assert torch.equal(prune(model, 3)(image)[3], model(image)[3])
    with pytest.raises(RequestError, match="cannot prune 'smp:Unet' to depth 2: it has one head, at depth 3"):
        prune(model, 2)


def test_it_costs_what_its_parameters_are():
    spec = specify("smp:Unet:3", "timm:resnet10t", in_channels=2)
    assert network_size(spec, 32).parameters == sum(p.numel() for p in outside().parameters())


def test_a_size_that_it_cannot_take_is_refused_by_its_name():
    with pytest.raises(
        RequestError, match="'smp:PAN' on encoder 'timm:resnet10t' at depth 4 cannot take 2 images of 32"
    ):
        check_training(specify("smp:PAN", "timm:resnet10t"), 32, 2)
