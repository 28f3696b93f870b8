from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_feed import feed_of
from hypothesis import given
from hypothesis import strategies as st

from nestbench.datasets.augment import draws, move, shade
from nestbench.datasets.batches import batches, training_batches
from nestbench.datasets.feed import Feed, feed, standardise
from nestbench.datasets.intensity import moments
from nestbench.datasets.preparing import prepare
from nestbench.study.data import DatasetSpec


def pictures(n, size=8, **more):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=generator)
    return feed_of(images, (images[:, 0] > 128).to(torch.uint8), **more)


def volumes(*spaces, **more):
    generator = torch.Generator().manual_seed(0)
    images = [torch.randint(0, 256, (1, *space), dtype=torch.uint8, generator=generator) for space in spaces]
    return feed_of(images, [image[0] // 100 for image in images], **more)


def whole(data: Feed):
    return data.take(data.grid(10**6))[0]


def drawn(data, batch, seed, epoch, augmented=True):
    return list(training_batches(data, batch, seed, epoch, augmented))


@given(st.integers(1, 40), st.integers(1, 16), st.integers(0, 2**31), st.integers(0, 1000))
def test_an_epoch_shows_every_sample_once_in_batches_of_nearly_equal_size(n, batch, seed, epoch):
    data = pictures(n)
    parts = drawn(data, batch, seed, epoch, augmented=False)
    sizes = [len(images) for images, _ in parts]
    assert max(sizes) <= batch
    assert max(sizes) - min(sizes) <= 1
    shown = torch.cat([images for images, _ in parts])
    expected = whole(data)
    matched = torch.cdist(shown.flatten(1), expected.flatten(1)).argmin(dim=1)
    assert sorted(matched.tolist()) == list(range(n))


def test_order_and_augmentation_are_a_function_of_seed_and_epoch():
    data = pictures(12)
    for (a, b), (c, d) in zip(drawn(data, 5, 1, 2), drawn(data, 5, 1, 2), strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)
    for seed, epoch in ((2, 2), (1, 3)):
        assert not torch.equal(drawn(data, 12, 1, 2)[0][0], drawn(data, 12, seed, epoch)[0][0])


def test_a_samples_augmentation_does_not_depend_on_the_batch_size():
    data = pictures(12)
    one, other = (torch.cat([i for i, _ in drawn(data, batch, 3, 4)]) for batch in (12, 5))
    assert torch.equal(one, other)


def test_a_samples_numbers_do_not_depend_on_how_many_follow():
    assert torch.equal(draws(1, 2, 50)[:10], draws(1, 2, 10))


@given(st.integers(0, 1000))
def test_the_mask_moves_with_the_image_and_no_pixel_is_lost(epoch):
    masks = torch.arange(36).reshape(1, 6, 6).repeat(4, 1, 1)
    draw = draws(0, epoch, 4)
    images, moved = move(masks[:, None].float(), draw), move(masks[:, None], draw)[:, 0]
    assert torch.equal(images[:, 0].long(), moved)
    assert all(sorted(m.flatten().tolist()) == list(range(36)) for m in moved)


def test_all_eight_symmetries_are_drawn():
    masks = torch.arange(9).reshape(1, 3, 3).repeat(200, 1, 1)
    moved = move(masks[:, None], draws(0, 0, 200))
    assert len({tuple(m.flatten().tolist()) for m in moved}) == 8


def test_samples_of_one_batch_are_shaded_differently():
    flat = torch.ones(6, 1, 4, 4)
    images = shade(flat, draws(0, 0, 6))
    assert len({round(float(i.mean()), 4) for i in images}) == 6


@given(st.floats(1, 3), st.integers(0, 40))
def test_standardising_undoes_gain_and_offset(gain, offset):
    image = np.random.default_rng(0).integers(0, 60, (1, 3, 8, 8), np.uint8)
    brighter = np.rint(gain * image + offset).astype(np.uint8)
    first, second = (standardise(torch.from_numpy(i), torch.tensor([moments(i)])) for i in (image, brighter))
    torch.testing.assert_close(first, second, atol=0.05, rtol=0.05)


def test_an_even_image_becomes_zeros():
    even = np.full((1, 1, 4, 4), 77, np.uint8)
    assert not standardise(torch.from_numpy(even), torch.tensor([moments(even)])).any()


@pytest.mark.parametrize("batch", [1, 3, 10])
def test_evaluation_batches_keep_the_order(batch):
    data = pictures(7)
    cases, masks = (torch.cat(parts) for parts in zip(*((c, m) for c, _, m, _ in batches(data, batch)), strict=True))
    assert cases.tolist() == list(range(7))
    assert torch.equal(masks, data.take(data.grid(8))[1].long())


SIDES = st.integers(1, 20)


@given(st.lists(st.tuples(SIDES, SIDES, SIDES), min_size=1, max_size=3), st.sampled_from([2, 3]), st.integers(1, 5))
def test_each_pixel_of_a_case_is_the_own_of_one_validation_window_and_nothing_else_is(spaces, dims, batch):
    data = volumes(*spaces, patch=8)
    data = data if dims == 3 else replace(data, window=(1, 8, 8), dims=2)
    values = [torch.zeros(len(spaces), dtype=torch.long) for _ in range(2)]
    for cases, images, masks, own in batches(data, batch):
        assert own.shape == masks.shape == (len(images), *images.shape[2:])
        for total, pixels in zip(values, (own, own * masks), strict=True):
            total.index_add_(0, cases, pixels.flatten(1).sum(dim=1))
    whole = [data.masks(case, tuple(map(slice, (0, 0, 0), space))) for case, space in enumerate(spaces)]
    assert values[0].tolist() == [mask.numel() for mask in whole]
    assert values[1].tolist() == [int(mask.long().sum()) for mask in whole]


def test_looking_for_objects_reads_no_image():
    def refuse(*_):
        raise AssertionError("an image was read")

    data = pictures(4)
    assert replace(data, images=refuse).with_objects.all()


@given(st.integers(8, 20), st.integers(8, 20), st.integers(1, 8))
def test_training_windows_cover_every_pixel_and_leave_no_image(height, width, step):
    data = volumes((3, height, width), patch=8, step=step)
    seen = np.zeros((3, height, width), int)
    data = replace(data, window=(1, 8, 8), dims=2)
    for _, z, y, x in data.places:
        assert max(y + 8 - height, x + 8 - width) <= 0
        seen[z, y : y + 8, x : x + 8] += 1
    assert seen.all()


def test_slices_and_cubes_of_a_volume_are_what_a_network_of_their_dimensions_takes():
    cubes = volumes((10, 12, 9), (8, 8, 8), patch=8, step=4)
    images, masks = cubes.take(cubes.places[:3])
    assert (images.shape, masks.shape) == ((3, 1, 8, 8, 8), (3, 8, 8, 8))
    slices = replace(cubes, window=(1, 8, 8), dims=2)
    images, masks = slices.take(slices.places[:3])
    assert (images.shape, masks.shape) == ((3, 1, 8, 8), (3, 8, 8))


@given(st.integers(0, 100), st.integers(1, 60))
def test_of_drawn_windows_at_least_half_hold_an_object(epoch, samples):
    masks = torch.zeros(20, 8, 8, dtype=torch.uint8)
    masks[3, 2, 2] = masks[11, 5, 5] = 1
    data = feed_of(torch.zeros(20, 1, 8, 8, dtype=torch.uint8), masks, samples=samples)
    shown = torch.cat([m for _, m in training_batches(data, 7, 0, epoch, augmented=True)])
    assert len(shown) == len(data) == samples
    assert int(shown.flatten(1).any(dim=1).sum()) >= samples // 2


def test_drawn_windows_differ_from_epoch_to_epoch_but_not_from_run_to_run():
    data = pictures(30, samples=5)
    first, again, other = (drawn(data, 5, 0, epoch, augmented=False)[0][0] for epoch in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_side_that_is_streamed_gives_what_one_in_memory_gives(bowl, tmp_path):
    spec = DatasetSpec(name="nuclei", patch=16, stride=5)
    prepared = prepare(spec, bowl, tmp_path / "cache")
    held, streamed = (feed(prepared, (2, 0, 3), spec, "cpu", resident) for resident in (2**30, 0))
    assert (held.streamed, streamed.streamed) == (False, True)
    for (a, b), (c, d) in zip(drawn(held, 5, 1, 2), drawn(streamed, 5, 1, 2), strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)


@pytest.mark.parametrize("resident", [0, 2**30])
def test_an_image_smaller_than_the_patch_is_continued_by_its_edges(bowl, tmp_path, resident):
    spec = DatasetSpec(name="nuclei", patch=32)
    prepared = prepare(spec, bowl, tmp_path / "cache")
    data = feed(prepared, (1,), spec, "cpu", resident)
    images, masks = data.take(data.places)
    assert images.shape == (1, 3, 32, 32)
    height, width = prepared.spaces[1][1:]
    assert torch.equal(masks[0, :height, :width], torch.from_numpy(np.array(prepared.mask(1)[0])))
    assert (images[:, :, height:, :] == images[:, :, height - 1 : height, :]).all()
