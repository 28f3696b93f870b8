import pytest
import torch
import yaml
from safetensors.torch import save_file
from segmentation_models_pytorch.encoders import get_encoder

from nestbench.encoders.smp import Smp
from nestbench.errors import RequestError
from nestbench.study.schema import Study


@pytest.mark.parametrize("name", ["mobilenet_v2", "mit_b0"])
def test_every_level_comes_at_any_size_from_its_own_stride(name):
    encoder = Smp(name, 4, 3).eval()
    with torch.no_grad():
        assert [f.shape[-1] for f in encoder(torch.randn(1, 3, 64, 64))] == [64, 32, 16, 8, 4]
        assert [f.shape[-1] for f in encoder(torch.randn(1, 3, 16, 16))] == [16, 8, 4, 2, 1]
        assert tuple(f.shape[1] for f in encoder(torch.randn(1, 3, 65, 97))) == encoder.channels


def test_the_image_itself_is_no_feature():
    assert Smp("mobilenet_v2", 2, 3).channels == (16, 16, 24)


def test_vgg_has_a_level_of_its_own_at_the_resolution_of_the_image():
    with torch.device("meta"):
        encoder = Smp("vgg11", 1, 3)
    assert len(encoder.stem) == 0
    assert encoder.channels == (64, 128)


@pytest.mark.parametrize("depth", [2, 4])
def test_every_parameter_gets_a_gradient(depth):
    encoder = Smp("mobilenet_v2", depth, 3)
    sum(f.mean() for f in encoder(torch.randn(2, 3, 64, 64))).backward()
    assert [n for n, p in encoder.named_parameters() if p.grad is None] == []


def test_stages_that_the_depth_does_not_need_are_gone():
    sizes = [sum(p.numel() for p in Smp("mobilenet_v2", depth, 3).parameters()) for depth in range(1, 6)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("name", ["mobilenet_v2", "dpn68"])
def test_features_do_not_depend_on_how_deep_the_encoder_is(name):
    torch.manual_seed(0)
    deep, image = Smp(name, 5, 3).eval(), torch.randn(1, 3, 32, 48)
    with torch.no_grad():
        whole = deep(image)
        for depth in (1, 4):
            shallow = Smp(name, depth, 3).eval()
            shallow.load_state_dict({key: deep.state_dict()[key] for key in shallow.state_dict()})
            assert all(torch.equal(a, b) for a, b in zip(shallow(image), whole, strict=False))


def test_one_seed_gives_the_same_weights_on_any_depth():
    torch.manual_seed(0)
    deep = Smp("mit_b0", 4, 3).state_dict()
    torch.manual_seed(0)
    shallow = Smp("mit_b0", 2, 3).state_dict()
    assert all(torch.equal(deep[key], value) for key, value in shallow.items())


def test_a_depth_that_an_encoder_cannot_give_is_refused():
    with pytest.raises(RequestError, match=r"'smp:mobilenet_v2' cannot give depth 6: .* depths 1 to 5"):
        Smp("mobilenet_v2", 6, 3)


def test_a_misspelt_encoder_is_answered_with_the_nearest():
    with pytest.raises(RequestError, match="unknown smp encoder 'mit_b9'; did you mean 'mit_b"):
        Smp("mit_b9", 4, 3)


def test_timms_own_are_sent_to_timm():
    with pytest.raises(RequestError, match="write 'timm:resnet18'"):
        Smp("tu-resnet18", 4, 3)


@pytest.mark.parametrize("in_channels", [1, 3, 4])
def test_a_local_file_gives_its_weights(tmp_path, in_channels):
    torch.manual_seed(7)
    weights = get_encoder("mobilenet_v2").state_dict()
    save_file(weights, tmp_path / "local.safetensors")
    trunk = Smp("mobilenet_v2", 2, in_channels, pretrained=str(tmp_path / "local.safetensors")).trunk
    assert torch.equal(trunk.state_dict()["features.1.conv.0.0.weight"], weights["features.1.conv.0.0.weight"])


def test_a_local_file_of_another_encoder_is_refused(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(RequestError, match="do not fit encoder 'smp:mobilenet_v2'"):
        Smp("mobilenet_v2", 2, 3, pretrained=str(tmp_path / "other.safetensors"))


def test_an_unreachable_hub_is_one_sentence(monkeypatch):
    def refuse(*arguments, **keywords):
        raise OSError("no route\nto host")

    monkeypatch.setattr("segmentation_models_pytorch.encoders.hf_hub_download", refuse)
    monkeypatch.setattr("nestbench.hub.get_session", refuse)
    with pytest.raises(RequestError, match=r"'smp:mobilenet_v2' cannot be fetched .*; a local copy works: ") as raised:
        Smp("mobilenet_v2", 2, 3, pretrained=True)
    assert "\n" not in str(raised.value)
    advice = yaml.safe_load(str(raised.value).partition("works: ")[2])
    study = Study.model_validate(
        {"name": "mine", "datasets": [{"name": "synthetic"}], "encoders": ["smp:mobilenet_v2"]} | advice
    )
    assert study.start("smp:mobilenet_v2") == "FILE.safetensors"
