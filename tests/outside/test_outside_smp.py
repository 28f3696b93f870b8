import pytest
import segmentation_models_pytorch as smp
import torch

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
