import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nestbench.datasets.augment import augment, draws
from nestbench.datasets.feed import Feed, batches, standardise, training_batches


def feed_of(n, size=8):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=generator)
    return Feed(images, (images[:, 0] > 128).to(torch.uint8))


def drawn(data, batch, seed, epoch, augmented=True):
    return list(training_batches(data, batch, seed, epoch, augmented))


@given(st.integers(1, 40), st.integers(1, 16), st.integers(0, 2**31), st.integers(0, 1000))
def test_an_epoch_shows_every_sample_once_in_batches_of_nearly_equal_size(n, batch, seed, epoch):
    data = feed_of(n)
    parts = drawn(data, batch, seed, epoch, augmented=False)
    sizes = [len(images) for images, _ in parts]
    assert max(sizes) <= batch
    assert max(sizes) - min(sizes) <= 1
    shown = torch.cat([images for images, _ in parts])
    expected = standardise(data.images)
    matched = torch.cdist(shown.flatten(1), expected.flatten(1)).argmin(dim=1)
    assert sorted(matched.tolist()) == list(range(n))


def test_order_and_augmentation_are_a_function_of_seed_and_epoch():
    data = feed_of(12)
    for (a, b), (c, d) in zip(drawn(data, 5, 1, 2), drawn(data, 5, 1, 2), strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)
    for seed, epoch in ((2, 2), (1, 3)):
        assert not torch.equal(drawn(data, 12, 1, 2)[0][0], drawn(data, 12, seed, epoch)[0][0])


def test_a_samples_augmentation_does_not_depend_on_the_batch_size():
    data = feed_of(12)
    one, other = (torch.cat([i for i, _ in drawn(data, batch, 3, 4)]) for batch in (12, 5))
    assert torch.equal(one, other)


def test_a_samples_numbers_do_not_depend_on_how_many_follow():
    assert torch.equal(draws(1, 2, 50)[:10], draws(1, 2, 10))


@given(st.integers(0, 1000))
def test_the_mask_moves_with_the_image_and_no_pixel_is_lost(epoch):
    masks = torch.arange(36).reshape(1, 6, 6).repeat(4, 1, 1)
    draw = draws(0, epoch, 4)
    draw[:, 3:] = 0.5  # no change of contrast or brightness
    images, moved = augment(masks[:, None].float(), masks, draw)
    assert torch.equal(images[:, 0].long(), moved)
    assert all(sorted(m.flatten().tolist()) == list(range(36)) for m in moved)


def test_all_eight_symmetries_are_drawn():
    masks = torch.arange(9).reshape(1, 3, 3).repeat(200, 1, 1)
    _, moved = augment(masks[:, None].float(), masks, draws(0, 0, 200))
    assert len({tuple(m.flatten().tolist()) for m in moved}) == 8


def test_samples_of_one_batch_are_shaded_differently():
    flat = torch.ones(6, 1, 4, 4)
    images, _ = augment(flat, torch.zeros(6, 4, 4, dtype=torch.long), draws(0, 0, 6))
    assert len({round(float(i.mean()), 4) for i in images}) == 6


@given(st.floats(0.1, 3), st.integers(0, 40))
def test_standardising_undoes_gain_and_offset(gain, offset):
    image = torch.randint(0, 60, (1, 3, 8, 8), generator=torch.Generator().manual_seed(0)).float()
    torch.testing.assert_close(standardise(gain * image + offset), standardise(image), atol=1e-3, rtol=1e-3)


def test_an_even_image_becomes_zeros():
    assert torch.equal(standardise(torch.full((1, 1, 4, 4), 77, dtype=torch.uint8)), torch.zeros(1, 1, 4, 4))


@pytest.mark.parametrize("batch", [1, 3, 10])
def test_evaluation_batches_keep_the_order(batch):
    data = feed_of(7)
    masks = torch.cat([m for _, m in batches(data, batch)])
    np.testing.assert_array_equal(masks, data.masks)
