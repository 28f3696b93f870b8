import numpy as np
import pytest
import torch
from drawn_feed import feed_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import center_of_mass
from torch import nn

from nestbench import evaluate
from nestbench.datasets.contract import Case
from nestbench.datasets.feed import standardise
from nestbench.datasets.intensity import moments
from nestbench.datasets.resize import resized_image
from nestbench.errors import RequestError
from nestbench.evaluate import judge, outputs
from nestbench.machine import Plan
from nestbench.model import build, prune
from nestbench.predict import decided, predict_mask, predict_probabilities

PLAN = Plan("cpu", "float32", "contiguous", 1)


def network(name="unet++ds", depth=2, **options):
    torch.manual_seed(0)
    return build(name, "plain:4", depth, **options).eval()


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def standardised(image, like=None):
    """An image (H, W, C) as a network sees it, by its own mean and deviation or by another image's."""
    values = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
    return standardise(values, torch.tensor([moments(image if like is None else like)]))


class Pointwise(nn.Module):
    """A network of one head that looks at no pixel but its own."""

    def __init__(self, dims=2):
        super().__init__()
        self.spec = build("unet", "plain:1", 1, dims=dims).spec
        self.scale = nn.Parameter(torch.tensor(3.0))

    def forward(self, image):
        return {1: self.scale * image + 0.1}


def test_masks_are_those_of_the_evaluation():
    images = pixels(5, 24, 24, 3)
    model = network(in_channels=3, classes=3)
    data = feed_of(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), torch.zeros(5, 24, 24, dtype=torch.uint8))
    cases = [Case(str(number), str(number)) for number in range(5)]
    judged = judge(model, data, cases, ("background", "a", "b"), PLAN, "test")
    expected = np.concatenate([one.mask for one in judged])
    found = np.stack([predict_mask(model, image) for image in images])
    assert len(np.unique(expected)) == 3
    np.testing.assert_array_equal(found, expected)


@torch.no_grad()
def test_an_image_is_resized_as_in_training_and_its_probabilities_back():
    model, image = network(in_channels=1), pixels(57, 40, 1)
    expected = outputs(model(standardised(resized_image(image, (32, 32)))))["ensemble"]
    expected = nn.functional.interpolate(expected, size=(57, 40), mode="bilinear", antialias=True)[0]
    found = predict_probabilities(model, image, size=32)
    assert found.shape == (2, 57, 40)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_size_that_the_image_has_already_changes_nothing():
    model, image = network(), pixels(32, 32, 1)
    np.testing.assert_allclose(predict_probabilities(model, image, 32), predict_probabilities(model, image), atol=1e-6)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(2, 20), st.floats(0, 0.9))
def test_for_a_network_of_single_pixels_windows_change_nothing(height, width, window, overlap):
    model, image = Pointwise(), pixels(height, width, 1)
    whole = predict_probabilities(model, image)
    np.testing.assert_allclose(predict_probabilities(model, image, None, window, overlap), whole, atol=1e-6)


def test_for_a_network_of_single_voxels_windows_change_nothing():
    model, volume = Pointwise(dims=3), pixels(9, 14, 11, 1)
    whole = predict_probabilities(model, volume)
    np.testing.assert_allclose(predict_probabilities(model, volume, window=5), whole, atol=1e-6)


def test_a_window_as_large_as_the_image_changes_no_bit():
    model, image = network(), pixels(40, 33, 1)
    assert np.array_equal(predict_probabilities(model, image, window=40), predict_probabilities(model, image))


@torch.no_grad()
def test_windows_answer_as_those_of_monai_do():
    """MONAI's own weights are Gaussian: constant ones on windows that do not overlap compare the windows alone."""
    inferers = pytest.importorskip("monai.inferers")
    model, image = network("unet"), pixels(48, 64, 1)
    values = standardised(image)
    theirs = inferers.sliding_window_inference(values, (16, 16), 1, lambda part: model(part)[2], 0.0)
    found = predict_probabilities(model, image, window=16, overlap=0)
    np.testing.assert_allclose(found[1], theirs.sigmoid()[0, 0], atol=1e-5)


def test_blended_windows_have_no_seam():
    """Where windows of an even image meet, the answer is as smooth as inside one."""
    model, image = network("unet"), np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 4, (1, 64, 1))
    blended = predict_probabilities(model, image, window=32, overlap=0.5)[1]
    cut = predict_probabilities(model, image, window=32, overlap=0)[1]
    across = [np.abs(np.diff(values[:, 16:48], axis=0))[31].max() for values in (blended, cut)]
    assert across[0] < across[1]


@pytest.mark.parametrize("space", [(1, 1), (3, 50), (2, 2)])
def test_an_image_below_what_the_network_can_halve_is_padded(space):
    assert predict_mask(network(depth=3), pixels(*space, 1)).shape == space


def test_padding_moves_no_pixel():
    model, image = Pointwise(), pixels(1, 5, 1)
    expected = outputs(model(standardised(image)))["L1"][0]
    np.testing.assert_allclose(predict_probabilities(model, image), expected.detach(), atol=1e-6)


def test_a_2d_network_takes_a_volume_slice_by_slice(monkeypatch):
    monkeypatch.setattr(evaluate, "AT_ONCE", 16 * 20 * 24)
    model, volume = network(), pixels(19, 20, 24, 1)
    found = predict_mask(model, volume)
    assert found.shape == (19, 20, 24)
    for index in (0, 15, 16, 18):
        with torch.no_grad():
            alone = outputs(model(standardised(volume[index], like=volume)))["ensemble"]
        np.testing.assert_array_equal(found[index], decided(alone[0].numpy()))


@settings(max_examples=20)
@given(st.sampled_from([(2, (21, 30)), (2, (5, 12, 17)), (3, (9, 14, 11))]), st.integers(1, 20), st.floats(0, 0.9))
def test_how_many_windows_are_seen_at_once_does_not_change_the_answer(kind, at_once, overlap):
    dims, space = kind
    model, image, sizes = network(dims=dims, classes=3), pixels(*space, 1), []
    model.register_forward_pre_hook(lambda _, taken: sizes.append(len(taken[0])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "AT_ONCE", 1)
        alone = predict_probabilities(model, image, window=8, overlap=overlap)
        windows = len(sizes)
        patch.setattr(evaluate, "AT_ONCE", at_once * 8**dims)
        together = predict_probabilities(model, image, window=8, overlap=overlap)
    assert sizes[:windows] == [1] * windows
    assert sum(sizes[windows:]) == windows
    assert set(sizes[windows:-1]) <= {at_once}
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_3d_network_takes_a_volume_whole():
    model, volume = network(dims=3, classes=3), pixels(8, 17, 12, 1)
    found = predict_probabilities(model, volume)
    assert found.shape == (3, 8, 17, 12)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    whole = torch.from_numpy(volume[None, ..., 0][None].copy()).float()
    values = (whole - whole.mean()) / whole.std(correction=0)
    with torch.no_grad():
        np.testing.assert_allclose(found, outputs(model(values))["ensemble"][0], atol=1e-4)


def test_a_volume_is_resized_in_depth_too():
    model = Pointwise(dims=3)
    ramp = np.broadcast_to(np.linspace(0, 255, 12).astype(np.uint8)[:, None, None, None], (12, 6, 6, 1))
    found = predict_probabilities(model, np.ascontiguousarray(ramp), size=6)[1]
    assert found.shape == (12, 6, 6)
    assert (np.diff(found, axis=0) >= -1e-6).all()
    assert np.ptp(found, axis=(1, 2)).max() < 1e-5


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("size", [(5, 9, 16), (14, 20, 24), (4, 10, 12)])
def test_a_volume_comes_back_from_any_size_without_a_shift(dims, size):
    """A network of single voxels sees a volume that is turned round as the volume turned round."""
    model, volume = Pointwise(dims), np.zeros((7, 10, 12, 1), np.uint8)
    volume[2:5, 3:9, 1:5] = 200
    found = predict_probabilities(model, volume, size)
    assert found.shape == (2, 7, 10, 12)
    back = predict_probabilities(model, volume[::-1, ::-1, ::-1].copy(), size)[:, ::-1, ::-1, ::-1]
    np.testing.assert_allclose(found, back, atol=0.02)
    np.testing.assert_allclose(center_of_mass(decided(found)), center_of_mass(volume[..., 0]), atol=0.5)


@torch.no_grad()
@pytest.mark.parametrize("dims", [2, 3])
def test_an_image_below_the_windows_of_training_is_padded_to_one(dims):
    model, image = network(dims=dims), pixels(*(11, 13, 9)[3 - dims :], 1)
    padding = [(0, 24 - side) for side in image.shape[:-1]]
    padded = np.pad(image, [*padding, (0, 0)], mode="edge")
    values = standardise(torch.from_numpy(np.moveaxis(padded, -1, 0).copy())[None], torch.tensor([moments(image)]))
    expected = outputs(model(values))["ensemble"][0][(slice(None), *map(slice, image.shape[:-1]))]
    np.testing.assert_allclose(predict_probabilities(model, image, patch=24), expected, atol=1e-6)


def test_the_windows_of_training_are_the_windows_where_none_are_given():
    model, image = network(), pixels(40, 33, 1)
    expected = predict_probabilities(model, image, window=16)
    assert np.array_equal(predict_probabilities(model, image, patch=16), expected)
    assert not np.array_equal(predict_probabilities(model, image, window=24, patch=16), expected)


def test_a_chosen_depth_is_that_head_alone():
    model, image = network(), pixels(32, 32, 1)
    with torch.no_grad():
        logits = model(standardised(image))
    head = predict_probabilities(prune(model, 1), image)
    np.testing.assert_allclose(head, outputs(logits)["L1"][0], atol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-5), (torch.bfloat16, 0.05), (torch.float16, 0.01)])
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("options", [{}, {"size": 16}, {"window": 8}])
def test_a_network_runs_in_the_type_of_its_weights(dtype, tolerance, dims, options):
    model, image = network(dims=dims), pixels(*(12, 11, 3)[3 - dims :], 1)
    expected = predict_probabilities(model, image, **options)
    seen = []
    model.encoder.register_forward_pre_hook(lambda _, taken: seen.append(taken[0].dtype))
    found = predict_probabilities(model.to(dtype), image, **options)
    assert set(seen) == {dtype}
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=tolerance)


def test_an_even_image_is_no_division_by_zero():
    found = predict_probabilities(network(), np.full((20, 20, 1), 7, np.uint8))
    assert np.isfinite(found).all()


def test_two_classes_are_decided_at_one_half():
    probability = np.array([[[0.5, 0.6]], [[0.5, 0.4]]], np.float32)
    assert decided(probability).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        ((32, 32, 3), {}, "has 3 channels, and the network takes 1"),
        ((32, 32), {}, r"cannot take an image of the shape \[32, 32\]"),
        ((32, 32, 1), {"size": 3}, "size 3 is too small: a network of depth 2 takes 4 or more"),
        ((32, 32, 1), {"window": 3}, "window 3 is too small"),
        ((32, 32, 1), {"patch": 3}, "patch 3 is too small"),
        ((32, 32, 1), {"patch": 2**16}, "patch 65536 is too large"),
        ((32, 32, 1), {"overlap": 1.0}, "overlap 1 is not between 0 and 0.9"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(shape, options, words):
    with pytest.raises(RequestError, match=words):
        predict_mask(network(), pixels(*shape), **options)


def test_numbers_of_another_range_are_refused():
    with pytest.raises(RequestError, match="the image holds float64, and networks are trained on uint8"):
        predict_mask(network(), pixels(32, 32, 1) / 255)


def test_a_picture_is_refused_by_a_network_of_volumes():
    with pytest.raises(RequestError, match="a 3D network cannot take"):
        predict_mask(network(dims=3), pixels(32, 32, 1))
