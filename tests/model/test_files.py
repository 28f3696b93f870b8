import pytest
import torch
from safetensors.torch import save_file

from nestbench.errors import RequestError
from nestbench.model import build, load, prune, save


@torch.no_grad()
def test_the_file_alone_rebuilds_the_network(tmp_path):
    model = build("unet++ds", "plain:4", depth=3, classes=3, in_channels=2).eval()
    save(model, tmp_path / "weights.safetensors")
    again = load(tmp_path / "weights.safetensors")
    image = torch.randn(1, 2, 24, 24)
    assert again.spec == model.spec
    assert not again.training
    for depth, logits in model(image).items():
        assert torch.equal(again(image)[depth], logits)


@torch.no_grad()
def test_a_widened_and_a_pruned_network_survive_their_files(tmp_path):
    wide = build("wide-unet", "timm:resnet10t", depth=2).eval()
    small = prune(build("unet-e", "plain:4"), 2).eval()
    for model in (wide, small):
        save(model, tmp_path / "weights.safetensors")
        again = load(tmp_path / "weights.safetensors")
        image = torch.randn(1, 1, 32, 32)
        assert again.spec == model.spec
        assert torch.equal(again(image)[2], model(image)[2])


def test_loading_leaves_the_random_numbers_alone(tmp_path):
    save(build("unet", "plain:2", depth=1), tmp_path / "weights.safetensors")
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    load(tmp_path / "weights.safetensors")
    assert torch.equal(torch.rand(1), expected)


def test_a_file_that_is_no_network_of_ours_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(RequestError, match="not of a network that nestbench saved"):
        load(path)


def test_a_torn_or_missing_file_is_refused_by_name(tmp_path):
    path = tmp_path / "torn.safetensors"
    path.write_bytes(b"\x08\x00")
    for wrong in (path, tmp_path / "missing.safetensors"):
        with pytest.raises(RequestError, match="cannot read weights from"):
            load(wrong)
