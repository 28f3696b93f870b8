"""timm's models as encoders: every kind of them keeps the contract, and bad requests are answered in one sentence."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from nestbench.encoders.timm import Timm, anatomy, names
from nestbench.errors import RequestError
from nestbench.model import build, prune

KINDS = {
    "test_resnet": "its first feature at stride 2 or 4, a stem before it",
    "test_efficientnet": "timm keeps its late stages",
    "test_mambaout": "channels last",
    "test_vit": "one stride, sizes by an option of timm's",
}


def sides(encoder: Timm, *size: int) -> list[tuple[int, ...]]:
    with torch.no_grad():
        return [tuple(f.shape[2:]) for f in encoder.eval()(torch.randn(1, 3, *size))]


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_gives_every_level_at_any_size(name):
    encoder = Timm(name, 4, 3)
    assert sides(encoder, 64, 64) == [(64, 64), (32, 32), (16, 16), (8, 8), (4, 4)]
    for level, (height, width) in enumerate(sides(encoder, 65, 97)):
        assert 65 // 2**level <= height <= -(-65 // 2**level)
        assert 97 // 2**level <= width <= -(-97 // 2**level)


@pytest.mark.parametrize("name", KINDS)
def test_a_shallower_network_on_every_kind_is_smaller_in_its_encoder_too(name):
    sizes = [sum(p.numel() for p in Timm(name, depth, 3).parameters()) for depth in range(1, 6)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("depth", [2, 4])
def test_every_parameter_of_every_kind_gets_a_gradient_at_every_depth(name, depth):
    encoder = Timm(name, depth, 3)
    sum(f.float().mean() for f in encoder(torch.randn(2, 3, 32, 32))).backward()
    assert [n for n, p in encoder.named_parameters() if p.grad is None] == []


def test_features_with_the_channels_last_come_with_the_channels_first():
    encoder = Timm("test_mambaout", 5, 3)
    found = encoder(torch.randn(1, 3, 32, 64))
    assert tuple(f.shape[1] for f in found) == encoder.channels


def test_vgg_has_a_level_of_its_own_at_the_resolution_of_the_image():
    with torch.device("meta"):
        encoder = Timm("vgg11", 1, 3)
    assert len(encoder.stem) == 0
    assert encoder.channels == (64, 128)


def test_a_plain_transformer_pruned_to_a_depth_drops_its_later_blocks():
    blocks = [len(Timm("test_vit", depth, 3).trunk.model.blocks) for depth in (2, 3, 4, 5)]
    assert blocks == [1, 3, 4, 6]


def test_a_plain_transformer_gives_a_pyramid_of_the_stems_widths():
    assert Timm("test_vit", 5, 3).channels == (16, 32, 64, 128, 256, 512)


def test_a_windowed_model_of_one_size_sees_large_images_in_tiles():
    found = anatomy("test_vit_relpos")
    assert found.frame.tile
    assert sides(Timm("test_vit_relpos", 3, 3), 200, 170) == [(200, 170), (100, 85), (50, 43), (25, 22)]


@pytest.mark.parametrize("name", ["test_vit", "test_efficientnet"])
def test_pruning_changes_nothing_where_the_image_is_padded_or_stages_are_taken_out(name):
    torch.manual_seed(0)
    model = build("unet++ds", f"timm:{name}", 4, in_channels=1).eval()
    image = torch.randn(1, 1, 65, 97)
    with torch.no_grad():
        whole = model(image)
        assert all(torch.equal(prune(model, depth)(image)[depth], whole[depth]) for depth in whole)


def test_a_heads_weights_whose_number_depends_on_the_depth_are_gone():
    torch.manual_seed(0)
    deep, shallow = Timm("efficientvim_m1", 5, 3).state_dict(), Timm("efficientvim_m1", 4, 3).state_dict()
    assert all(deep[key].shape == value.shape for key, value in shallow.items())
    assert "trunk.model.weights" not in deep


def test_building_does_not_depend_on_what_was_built_before():
    anatomy.cache_clear()
    torch.manual_seed(3)
    first = Timm("test_resnet", 3, 3).state_dict()
    torch.manual_seed(3)
    again = Timm("test_resnet", 3, 3).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_a_depth_that_a_model_cannot_give_is_refused_with_those_that_it_gives():
    with pytest.raises(RequestError, match=r"cannot give depth 6: its features have strides 16, .* depths 1 to 5"):
        Timm("test_vit", 6, 3)


def test_a_misspelt_model_is_answered_with_the_nearest():
    with pytest.raises(RequestError, match="unknown timm encoder 'resnet81'; did you mean 'resnet"):
        Timm("resnet81", 4, 3)


def test_a_misspelt_tag_of_weights_is_answered_with_the_nearest():
    with pytest.raises(RequestError, match=r"did you mean 'resnet18\.a1_in1k'"):
        Timm("resnet18.a1_in1", 4, 3)


def test_a_name_without_a_model_is_answered_with_an_example():
    with pytest.raises(RequestError, match=r"'timm:' names no model; .* 'timm:resnet18'"):
        Timm("", 4, 3)


@pytest.fixture
def whole_file(tmp_path):
    torch.manual_seed(7)
    model = timm.create_model("test_resnet")
    save_file(model.state_dict(), tmp_path / "whole.safetensors")
    return str(tmp_path / "whole.safetensors"), model.state_dict()


def test_a_local_file_gives_its_weights(whole_file):
    path, weights = whole_file
    trunk = Timm("test_resnet", 2, 3, pretrained=path).trunk
    assert torch.equal(dict(trunk.named_parameters())["layer1.0.conv1.weight"], weights["layer1.0.conv1.weight"])


@pytest.mark.parametrize("in_channels", [1, 5])
def test_a_local_file_for_three_channels_serves_one_and_many(whole_file, in_channels):
    encoder = Timm("test_resnet", 2, in_channels, pretrained=whole_file[0])
    assert len(encoder(torch.randn(1, in_channels, 32, 32))) == 3


@pytest.mark.parametrize("name", ["test_vit", "test_efficientnet", "test_convnext"])
def test_a_local_file_of_another_model_is_refused(whole_file, name):
    with pytest.raises(RequestError, match=f"do not fit encoder 'timm:{name}'") as raised:
        Timm(name, 3, 3, pretrained=whole_file[0])
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_safetensors_is_never_loaded(tmp_path):
    torch.save({"x": torch.zeros(1)}, tmp_path / "weights.pth")
    with pytest.raises(RequestError, match=r"not a \.safetensors file"):
        Timm("test_resnet", 3, 3, pretrained=str(tmp_path / "weights.pth"))


def test_a_pickle_that_calls_itself_safetensors_is_refused(tmp_path):
    torch.save({"x": torch.zeros(1)}, tmp_path / "weights.safetensors")
    with pytest.raises(RequestError, match="cannot be read"):
        Timm("test_resnet", 3, 3, pretrained=str(tmp_path / "weights.safetensors"))


def test_a_local_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(RequestError, match=r"missing\.safetensors"):
        Timm("test_resnet", 3, 3, pretrained=str(tmp_path / "missing.safetensors"))


@pytest.mark.parametrize("error", [OSError("no route to host"), RuntimeError("client\nclosed"), ValueError()])
def test_an_unreachable_hub_is_one_sentence(monkeypatch, error):
    def refuse(*arguments, **keywords):
        raise error

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", refuse)
    monkeypatch.setattr("nestbench.hub.get_session", refuse)
    with pytest.raises(RequestError, match=r"'timm:test_resnet' cannot be fetched .* FILE\.safetensors") as raised:
        Timm("test_resnet", 3, 3, pretrained=True)
    assert "\n" not in str(raised.value)


def test_a_model_without_pretrained_weights_says_so():
    bare = next(n for n in ("resnet50c", "resnetrs18", *timm.list_models("resnet*")) if _bare(n))
    with pytest.raises(RequestError, match=f"timm has no pretrained weights for '{bare}'"):
        Timm(bare, 2, 3, pretrained=True)


def _bare(name):
    return timm.is_model(name) and not timm.models.is_model_pretrained(name)


def test_names_can_be_narrowed():
    assert "resnet18" in names("resnet*")
    assert not any(n.startswith("vit") for n in names("resnet*"))
