import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from nestbench.engine import as_it_is, make_engine
from nestbench.errors import RequestError
from nestbench.machine import Plan
from nestbench.model import DetectorSpec, build, load, prune, save
from nestbench.model.detector import settings
from nestbench.model.export import trace
from nestbench.model.pyramid import places
from nestbench.model.spec import read_spec
from nestbench.topology import Node, topology

PLAN = Plan("cpu", "float32", "contiguous", 1)
NAMES = ("maskrcnn", "maskrcnn+", "maskrcnn++")


def network(name="maskrcnn", encoder="plain:8", depth=3, **options):
    torch.manual_seed(0)
    return build(name, encoder, depth, **options)


class Theirs(nn.Module):
    """An encoder under torchvision's own feature pyramid."""

    def __init__(self, pyramid):
        super().__init__()
        self.encoder, self.levels = pyramid.encoder, pyramid.levels
        channels = [pyramid.encoder.channels[level] for level in pyramid.levels]
        self.out_channels = pyramid.out_channels
        self.fpn = FeaturePyramidNetwork(channels, self.out_channels, LastLevelMaxPool())

    def forward(self, image):
        features = self.encoder(image)
        return self.fpn({str(level): features[level] for level in self.levels})


def torchvisions(ours, side):
    """torchvision's Mask R-CNN with the weights of ours."""
    pyramid = ours.pyramid
    channels = ours.spec.in_channels
    still = {"image_mean": [0.0] * channels, "image_std": [1.0] * channels, "min_size": side, "max_size": side}
    # Without this a training step of theirs draws one more random number, for the size of each image.
    theirs = MaskRCNN(Theirs(pyramid), **still, **settings(pyramid), _skip_resize=True)
    depth = pyramid.grid.depth
    names = {f"inner.x{i}_{depth - i}": f"fpn.inner_blocks.{i - 1}.0" for i in pyramid.levels}
    names |= {f"smooth.{i}": f"fpn.layer_blocks.{i - 1}.0" for i in pyramid.levels}

    def renamed(key):
        for own, other in names.items():
            key = key.replace(f"backbone.{own}.", f"backbone.{other}.")
        return key

    theirs.load_state_dict({renamed(key): value for key, value in ours.rcnn.state_dict().items()})
    return theirs


def targets():
    boxes = torch.tensor([[4.0, 4, 20, 24], [10, 12, 40, 40], [50, 50, 51, 51]])
    masks = torch.zeros(3, 64, 64, dtype=torch.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
        mask[top:bottom, left:right] = 1
    return [{"boxes": boxes, "labels": torch.ones(3, dtype=torch.int64), "masks": masks}] * 2


def few(rcnn):
    """Let a Mask R-CNN find a few objects only: an untrained one is unsure of all regions, and finds a thousand."""
    rcnn.roi_heads.detections_per_img = 8
    rcnn.rpn._pre_nms_top_n = rcnn.rpn._post_nms_top_n = {"training": 64, "testing": 64}


@pytest.mark.parametrize(("encoder", "depth"), [("plain:8", 3), ("timm:resnet18", 4)])
def test_mask_rcnn_is_torchvisions_own_on_the_same_weights_output_for_output(encoder, depth):
    ours = network("maskrcnn", encoder, depth, in_channels=3)
    theirs = torchvisions(ours, 64)
    few(ours.rcnn), few(theirs)
    images = torch.randn(2, 3, 64, 64)
    ours.train(), theirs.train()
    torch.manual_seed(1)
    expected = theirs(list(images), targets())
    torch.manual_seed(1)
    found = ours.losses(images, targets())
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    ours.eval(), theirs.eval()
    with torch.no_grad():
        pairs = list(zip(ours(images), theirs(list(images)), strict=True))
    for one, other in pairs:
        assert one.keys() == other.keys()
        assert len(one["scores"]) > 0
        assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(("least", "away", "overlap"), [(3.4, 0, 0.67), (5, 16, 0.45), (3.4, 16, 0.36)])
def test_some_anchor_overlaps_every_square_by_as_much_as_the_docs_say(least, away, overlap):
    anchors = network(depth=4).rcnn.rpn.anchor_generator.cell_anchors
    places = np.arange(0, away + 0.5, 0.5)
    side, x, y = np.meshgrid(np.geomspace(least, 107, 150), places, places, indexing="ij")
    best = np.zeros_like(side)
    for stride, own in zip((2, 4, 8, 16, 32), anchors, strict=True):
        dx, dy = (np.abs(place - np.round(place / stride) * stride) for place in (x, y))
        for right, bottom in own[:, 2:].tolist():
            across = np.minimum(side / 2, dx + right) - np.maximum(-side / 2, dx - right)
            down = np.minimum(side / 2, dy + bottom) - np.maximum(-side / 2, dy - bottom)
            shared = across.clip(0) * down.clip(0)
            best = np.maximum(best, shared / (side**2 + 4 * right * bottom - shared))
    assert best.min() == pytest.approx(overlap, abs=0.006)


def test_with_256_channels_the_heads_are_torchvisions_in_every_size():
    ours = network("maskrcnn", "timm:resnet50", 4, in_channels=3)
    theirs = MaskRCNN(Theirs(ours.pyramid), num_classes=2)
    shapes = {key: value.shape for key, value in theirs.state_dict().items() if key.startswith("roi_heads")}
    assert shapes == {key: value.shape for key, value in ours.rcnn.state_dict().items() if key.startswith("roi_heads")}


def test_the_pyramids_differ_in_their_nodes_alone():
    plain = [Node(3, 0), Node(2, 1), Node(1, 2)]
    nested = [Node(2, 0), Node(3, 0), Node(1, 1), Node(2, 1), Node(1, 2)]
    assert [list(places(topology(name, 3))) for name in NAMES] == [plain, nested, nested]


def test_at_every_depth_that_it_has_each_is_another_network():
    for depth in (3, 4, 5):
        counts = {sum(p.numel() for p in build(name, "plain:2", depth).parameters()) for name in NAMES}
        assert len(counts) == len(NAMES)


@pytest.mark.parametrize("encoder", ["plain:8", "timm:resnet18"])
def test_all_begin_with_the_same_encoder(encoder):
    first, *others = (network(name, encoder).pyramid.encoder.state_dict() for name in NAMES)
    assert all(torch.equal(first[key], other[key]) for other in others for key in first)


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_reaches_every_node_of_the_pyramid(name):
    model = network(name).train()
    sum(model.losses(torch.randn(2, 1, 64, 64), targets()).values()).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.pyramid.inner.parameters())
    assert all(p.grad is not None for p in model.parameters())


def test_what_a_node_of_mask_rcnn_plus_reads_is_less_than_in_plus_plus():
    counts = [sum(p.numel() for p in network(name, depth=4).parameters()) for name in NAMES]
    assert counts == sorted(counts)
    assert len(set(counts)) == 3


@pytest.mark.parametrize("name", NAMES)
def test_any_size_works_and_masks_have_the_images_size(name):
    found = network(name).eval()(torch.randn(1, 1, 37, 50), least=0.0)
    assert found[0]["masks"].shape[1:] == (1, 37, 50)
    assert found[0]["boxes"][:, 2].max() <= 50


def test_weights_come_back_from_their_file(tmp_path):
    model = network("maskrcnn++").eval()
    save(model, tmp_path / "w.safetensors")
    again = load(tmp_path / "w.safetensors")
    images = torch.randn(1, 1, 32, 32)
    assert again.spec == model.spec == read_spec(model.spec.to_json())
    assert torch.equal(again(images)[0]["masks"], model(images)[0]["masks"])


@pytest.mark.parametrize("ask", [trace, as_it_is, lambda model: make_engine(model, PLAN)])
def test_where_classes_of_pixels_are_asked_for_a_detector_is_refused(ask):
    with pytest.raises(RequestError, match="Mask R-CNN finds objects one by one, in a study with task: instance"):
        ask(network())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: build("maskrcnn", depth=1), "depth 1 is too small for Mask R-CNN: its pyramid takes 2 or more"),
        (lambda: build("maskrcnn+", depth=2), "depth 2 is too small for Mask R-CNN with nested skips: its pyramid"),
        (lambda: build("maskrcnn", dims=3), "of one class in 2D, not of 1 in 3D"),
        (lambda: build("maskrcnn", classes=3), "of one class in 2D, not of 3 in 2D"),
        (lambda: build("maskrcn"), r"did you mean 'maskrcnn'"),
        (lambda: DetectorSpec(topology("maskrcnn", 3), block="new"), "unknown block 'new'"),
        (lambda: prune(network(), 2), "cannot prune Mask R-CNN to depth 2: it reads every level to depth 3"),
    ],
)
def test_what_no_mask_rcnn_can_be_is_refused(make, said):
    with pytest.raises(RequestError, match=said):
        make()
