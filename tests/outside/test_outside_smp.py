import pytest
import segmentation_models_pytorch as smp
import torch
from safetensors.torch import save_file
from segmentation_models_pytorch.encoders import encoders

from nestbench.errors import RequestError
from nestbench.model import build
from nestbench.outside.smp import ARCHITECTURES


def seeded(name, encoder="timm:resnet10t", depth=4, **options):
    torch.manual_seed(0)
    return build(name, encoder, depth, **options).eval()


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@torch.no_grad()
def test_every_architecture_answers_at_the_images_own_size(architecture):
    logits = seeded(f"smp:{architecture}", in_channels=2, classes=3)(torch.randn(1, 2, 129, 150))
    assert {depth: values.shape for depth, values in logits.items()} == {4: (1, 3, 129, 150)}


@pytest.mark.parametrize("depth", [3, 5])
@pytest.mark.parametrize("architecture", ["FPN", "PSPNet", "Unet", "UnetPlusPlus", "Segformer"])
@torch.no_grad()
def test_the_size_is_the_images_at_other_depths_too(architecture, depth):
    logits = seeded(f"smp:{architecture}:{depth}")(torch.randn(1, 1, 65, 64))
    assert logits[depth].shape == (1, 1, 65, 64)


@torch.no_grad()
def test_it_is_the_librarys_own_network():
    ours = seeded("smp:UnetPlusPlus", in_channels=3)
    torch.manual_seed(0)
    theirs = smp.UnetPlusPlus(
        "tu-resnet10t", encoder_depth=4, encoder_weights=None, decoder_channels=(128, 64, 32, 16), in_channels=3
    ).eval()
    image = torch.randn(2, 3, 64, 96)
    assert torch.equal(ours(image)[4], theirs(image))


def test_an_encoder_of_the_library_that_needs_numbers_to_be_built_can_be_counted_without_memory():
    with torch.device("meta"):
        model = build("smp:Segformer", "smp:mit_b0", 5)
    assert all(p.is_meta for p in model.parameters())


def test_what_can_be_counted_without_memory_takes_none(monkeypatch):
    made = []
    monkeypatch.setattr(torch.nn.init, "kaiming_uniform_", lambda tensor, *_, **__: made.append(tensor))
    with torch.device("meta"):
        build("smp:Unet", "timm:resnet10t", 4, classes=1_000_000)
    assert made
    assert all(tensor.is_meta for tensor in made)


@pytest.mark.parametrize("encoder", ["timm:resnet10t", "smp:mobilenet_v2"])
def test_a_hub_that_cannot_be_reached_is_one_sentence_and_nothing_else(encoder, hub, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    hub(OSError("no route\nto host"))
    with pytest.raises(RequestError) as raised:
        build("smp:Unet", encoder, in_channels=3, pretrained=True)
    assert str(raised.value) == (
        f"pretrained weights of encoder '{encoder}' cannot be fetched (the hub cannot be reached: no route); "
        "pretrained: false does without them"
    )
    assert not [record for record in caplog.records if record.name.startswith("huggingface_hub")]


def test_what_the_library_refuses_is_no_matter_of_the_hub(hub):
    hub(OSError("no route to host"))
    with pytest.raises(RequestError, match=r"'smp:Segformer' cannot be built on .* at depth 2: .*less than 3"):
        build("smp:Segformer:2", "timm:resnet10t", in_channels=3, pretrained=True)


@pytest.fixture
def published(hub, tmp_path, monkeypatch):
    """Weights of an encoder as the hub would give them."""
    torch.manual_seed(7)
    weights = smp.encoders.get_encoder("mobilenet_v2").state_dict()
    save_file(weights, tmp_path / "model.safetensors")
    monkeypatch.setattr(
        "segmentation_models_pytorch.encoders.hf_hub_download", lambda *_, filename, **__: tmp_path / filename
    )
    hub(200)
    return weights


def test_pretrained_weights_are_those_of_the_library(published):
    found = build("smp:Unet", "smp:mobilenet_v2", in_channels=3, pretrained=True).inner.encoder.state_dict()
    for name, tensor in found.items():
        assert torch.equal(tensor, published[name]), name


def test_weights_that_are_not_imagenets_serve_where_there_are_no_others(published, monkeypatch):
    (settings,) = encoders["mobilenet_v2"]["pretrained_settings"].values()
    monkeypatch.setitem(encoders["mobilenet_v2"], "pretrained_settings", {"wild": settings, "wilder": settings})
    found = build("smp:Unet", "smp:mobilenet_v2", in_channels=3, pretrained=True).inner.encoder.state_dict()
    assert all(torch.equal(tensor, published[name]) for name, tensor in found.items())


@pytest.mark.parametrize("encoder", ["smp:mobilenet_v2", "timm:resnet10t"])
def test_weights_that_nobody_published_are_no_matter_of_the_hub(encoder, hub, monkeypatch):
    hub(OSError("no route to host"))
    monkeypatch.setitem(encoders["mobilenet_v2"], "pretrained_settings", {})
    monkeypatch.setattr("nestbench.outside.smp.is_model_pretrained", lambda name: name != "resnet10t")
    with pytest.raises(RequestError, match=f"^there are no pretrained weights of encoder '{encoder}'; pre"):
        build("smp:Unet", encoder, in_channels=3, pretrained=True)


def test_the_decoder_starts_from_the_seed_alone(published):
    torch.manual_seed(0)
    ours = build("smp:Unet", "smp:mobilenet_v2", in_channels=3, pretrained=True).inner.decoder.state_dict()
    torch.manual_seed(0)
    theirs = smp.Unet("mobilenet_v2", 4, encoder_weights="imagenet", decoder_channels=(128, 64, 32, 16))
    for name, tensor in theirs.decoder.state_dict().items():
        assert torch.equal(ours[name], tensor), name


@pytest.mark.parametrize(
    ("name", "encoder", "options", "sentence"),
    [
        ("smp:Unett", "timm:resnet10t", {}, "unknown smp architecture 'Unett'; did you mean 'Unet'"),
        ("smp:Unet", "plain", {}, "'smp:Unet' cannot stand on encoder 'plain': write timm:<name> or smp:<name>"),
        ("smp:Unet", "timm:resnet81", {}, "'smp:Unet' cannot be built on 'timm:resnet81' at depth 4"),
        ("smp:Segformer:2", "timm:resnet10t", {}, "cannot be built on 'timm:resnet10t' at depth 2: .*less than 3"),
        ("smp:Unet", "timm:resnet10t", {"dims": 3}, "'smp:Unet' is made for 2D images, not for 3D"),
        ("smp:Unet", "timm:resnet10t", {"pretrained": "a.safetensors"}, "its library's own pretrained weights only"),
        ("smp:Unet", "timm:hf-hub:any/net", {}, "cannot stand on encoder 'timm:hf-hub:any/net'"),
        ("smp:Unet", "smp:tu-hf-hub:any", {}, "cannot stand on encoder"),
        ("smp:Unet", "timm:resnet10t", {"classes": 0}, "classes is 0, but must be a whole number of at least 1"),
        ("smp:Unet", "timm:resnet10t", {"depth": 9}, "depth 9 is not a whole number from 1 to 5"),
        ("smp:Unet:9", "timm:resnet10t", {}, "depth '9' of model 'smp:Unet:9' is not a whole number from 1 to 5"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_reason(name, encoder, options, sentence):
    with pytest.raises(RequestError, match=sentence):
        build(name, encoder, **options)
