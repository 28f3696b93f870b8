"""Our networks against those of others, and against formulas that share no code with them."""

import segmentation_models_pytorch as smp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nestbench.model import build
from nestbench.model.build import count_parameters, specify


@torch.no_grad()
def test_our_unet_is_that_of_segmentation_models_pytorch_on_copied_weights():
    # Theirs convolves what is below at once; ours projects it first. The product of the two is their kernel. They have
    # no skip at full resolution, so ours is silenced there, and their head has a wider kernel around the same centre.
    torch.manual_seed(0)
    ours = build("unet", "timm:resnet18", in_channels=3).eval()
    theirs = smp.Unet("tu-resnet18", 4, None, decoder_channels=(128, 64, 32, 16), in_channels=3).eval()
    theirs.encoder.model.load_state_dict(ours.encoder.trunk.state_dict())
    for (key, node), block in zip(ours.nodes.items(), theirs.decoder.blocks, strict=True):
        project, (first, *rest) = ours.up[key].project, node
        project.bias.zero_()
        width, top = project.out_channels, key.startswith("x0")
        lifted = torch.einsum("omhw,mi->oihw", first.weight[:, :width], project.weight[..., 0, 0])
        first.weight[:, width:] *= not top
        block.conv1[0].weight.copy_(lifted if top else torch.cat([lifted, first.weight[:, width:]], dim=1))
        for mine, their in zip((rest[0], *rest[2:4]), (block.conv1[1], block.conv2[0], block.conv2[1]), strict=True):
            their.load_state_dict(mine.state_dict())
    head = theirs.segmentation_head[0]
    head.weight.zero_()[:, :, 1, 1] = ours.heads["4"].weight[..., 0, 0]
    head.bias.copy_(ours.heads["4"].bias)
    image = torch.randn(2, 3, 64, 96)
    torch.testing.assert_close(ours(image)[4], theirs(image), rtol=1e-4, atol=1e-4)


@settings(max_examples=40)
@given(
    member=st.sampled_from(["unet", "unet-e", "unet+", "unet+ds", "unet++", "unet++ds"]),
    depth=st.integers(1, 5),
    width=st.integers(1, 9),
    channels=st.integers(1, 4),
    classes=st.integers(1, 5),
    dims=st.sampled_from([2, 3]),
)
def test_the_papers_block_has_the_parameters_of_a_formula(member, depth, width, channels, classes, dims):
    spec = specify(member, f"plain:{width}", depth, "paper", channels, classes, dims)
    assert count_parameters(spec) == formula(member, depth, width, channels, classes, dims)


def formula(member, depth, width, channels, classes, dims):
    """Parameters by the papers' text: c_i = width * 2^i channels, two biased convolutions a node, one to bring up."""
    c = [width * 2**i for i in range(depth + 1)]
    convolution = lambda inputs, outputs, side: (inputs * side**dims + 1) * outputs  # noqa: E731
    node = lambda inputs, i: convolution(inputs, c[i], 3) + convolution(c[i], c[i], 3)  # noqa: E731
    encoder = sum(node(c[i - 1] if i else channels, i) for i in range(depth + 1))
    skips = {"unet": lambda j: 1, "unet-e": lambda j: 1, "unet+": lambda j: 1, "unet++": lambda j: j}
    read = skips[member.removesuffix("ds")]
    places = [(i, j) for j in range(1, depth + 1) for i in range(depth + 1 - j) if member != "unet" or i + j == depth]
    decoder = sum(convolution(c[i + 1], c[i], 2) + node(c[i] * (1 + read(j)), i) for i, j in places)
    heads = depth if member.endswith("ds") or member == "unet-e" else 1
    return encoder + decoder + heads * convolution(c[0], classes, 1)
