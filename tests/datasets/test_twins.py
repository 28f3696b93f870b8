from collections.abc import Callable
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

from nestbench.datasets.contract import Case
from nestbench.datasets.sketches import sketch, turned
from nestbench.datasets.splits import Split
from nestbench.datasets.twins import NEAREST, Twins, find_twins

Image = NDArray[np.uint8]


def texture(seed: int, *shape: int, channels: int = 1) -> Image:
    """Smooth noise, another for each seed."""
    shape = shape or (80, 96)
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = gaussian_filter(noise, 2.5 if len(shape) == 2 else (1, 2, 2))
    grey = np.uint8(40 + 160 * (smooth - smooth.min()) / np.ptp(smooth))
    return np.repeat(grey[..., None], channels, axis=-1)


def spots(*places: tuple[int, int]) -> Image:
    """Round spots on an even ground."""
    rows, columns = np.mgrid[:96, :96]
    nearest = np.min([np.hypot(rows - y, columns - x) for y, x in places], axis=0)
    return np.uint8(200 * np.exp(-((nearest / 4) ** 2)))[..., None]


def found(train: list[Image], test: list[Image], subjects: str = "") -> Twins:
    """Twins of cases named train-0, ..., test-0, ..., each a subject of its own if none are given."""
    images = [*train, *test]
    names = [f"train-{n}" for n in range(len(train))] + [f"test-{n}" for n in range(len(test))]
    cases = [Case(name, subject) for name, subject in zip(names, subjects or names, strict=True)]
    return find_twins(iter(images), cases, Split(tuple(range(len(train))), (), tuple(range(len(train), len(images)))))


def pairs(twins: Twins) -> list[tuple[str, str]]:
    return [(twin.first, twin.second) for twin in twins.found]


CHANGES: dict[str, Callable[[Image], Image]] = {
    "gain": lambda image: np.uint8(image * 0.6 + 30),
    "noise": lambda image: np.uint8((image + np.random.default_rng(0).normal(0, 5, image.shape)).clip(0, 255)),
    "crop": lambda image: image[3:-1, 2:-2],
    "resize": lambda image: np.uint8(zoom(image.astype(float), (0.7, 0.8, 1), order=1)),
    "colour": lambda image: np.repeat(image, 3, axis=-1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_twin_is_found_though_it_was_changed(change: Callable[[Image], Image]):
    twins = found([texture(0), texture(1)], [texture(2), change(texture(1))])
    assert pairs(twins) == [("train-1", "test-1")]
    assert not twins.found[0].identical


@settings(max_examples=15)
@given(st.integers(0, 7), st.integers(0, 1000))
def test_a_turned_or_mirrored_twin_is_found(way: int, seed: int):
    planes = np.moveaxis(texture(seed).astype(np.float32), -1, 0)
    view = np.moveaxis(next(islice(turned(planes), way, None)), 0, -1).astype(np.uint8)
    twins = found([texture(seed), texture(seed + 1)], [view])
    assert pairs(twins) == [("train-0", "test-0")]
    assert twins.found[0].likeness > 0.99


def test_the_eight_ways_to_turn_a_picture_differ_and_a_volume_has_sixteen():
    picture, volume = np.arange(9).reshape(1, 3, 3), np.arange(27).reshape(3, 3, 3)
    assert len({way.tobytes() for way in turned(picture)}) == 8
    assert len({way.tobytes() for way in turned(volume)}) == 16


def test_the_same_pixels_are_identical():
    twin = found([texture(0)], [texture(0)]).found[0]
    assert (twin.likeness, twin.identical, twin.sides) == (1, True, ("train", "test"))


def test_different_images_are_no_twins():
    assert found([texture(n) for n in range(12)], [texture(n) for n in range(12, 20)]).found == ()


def test_images_that_share_a_middle_and_a_light_are_no_twins():
    light = 60 * np.exp(-(((np.mgrid[:80, :96] - [[[40]], [[48]]]) / 25) ** 2).sum(axis=0))
    alike = [np.uint8(texture(n)[..., 0] * 0.4 + 2 * light)[..., None] for n in range(12)]
    assert found(alike[:6], alike[6:]).found == ()


def test_cases_of_one_subject_may_look_alike():
    assert found([texture(0)], [texture(0)], subjects="aa").found == ()


def test_a_side_may_hold_twins_of_its_own():
    assert found([texture(0), texture(0)], [texture(1)]).found == ()


def test_validation_is_guarded_too():
    cases = [Case(name, name) for name in "abc"]
    twins = find_twins([texture(0), texture(0), texture(1)], cases, Split((2,), (0,), (1,)))
    assert [(twin.first, twin.second, twin.sides) for twin in twins.found] == [("a", "b", ("validation", "test"))]


def test_cases_on_no_side_are_left_out():
    cases = [Case(name, name) for name in "abc"]
    assert find_twins([texture(0), texture(0), texture(1)], cases, Split((0,), (), (2,))).found == ()


def test_even_images_are_passed_over_and_counted():
    even = np.full((8, 9, 1), 7, np.uint8)
    assert found([even, even, texture(0)], [even]) == Twins((), 3)


def test_images_with_a_spot_each_are_passed_over_unless_they_are_the_same():
    there, elsewhere = spots((30, 30)), spots((34, 33))
    assert found([there], [elsewhere]) == Twins((), 2)
    assert pairs(found([there], [elsewhere, there])) == [("train-0", "test-1")]


def test_images_with_many_spots_are_compared():
    field = [tuple(place) for place in np.random.default_rng(0).integers(5, 90, (25, 2))]
    twins = found([spots(*field)], [CHANGES["gain"](spots(*field))])
    assert (pairs(twins), twins.passed_over) == ([("train-0", "test-0")], 0)


def test_twins_come_the_most_alike_first():
    images = [texture(n) for n in range(3)]
    twins = found(images, [CHANGES["noise"](images[2]), images[0], CHANGES["crop"](images[1])])
    assert {twin.second for twin in twins.found} == {"test-0", "test-1", "test-2"}
    assert twins.found[0].second == "test-1"
    assert [twin.likeness for twin in twins.found] == sorted((t.likeness for t in twins.found), reverse=True)


def test_a_twin_is_found_among_more_that_look_alike_than_are_looked_at():
    crowd = [CHANGES["gain"](texture(0) // 2 + texture(n) // 2) for n in range(1, 4 * NEAREST)]
    assert ("train-5", "test-0") in pairs(found(crowd, [crowd[5] + np.uint8(3)]))


def test_an_image_with_many_copies_is_named_with_one_of_them():
    assert pairs(found([texture(0)] * 5, [texture(0)])) == [("train-0", "test-0")]


@pytest.mark.parametrize("view", [np.s_[:], np.s_[::-1], np.s_[:, ::-1], np.s_[:, 1:-1]])
def test_a_volume_finds_its_twin(view: object):
    volumes = [texture(n, 20, 30, 40) for n in range(4)]
    assert pairs(found(volumes[:3], [volumes[3], volumes[1][view]])) == [("train-1", "test-1")]


def test_volumes_that_differ_are_no_twins_even_of_one_slice():
    volumes = [texture(n, 1, 30, 40) for n in range(6)]
    assert found(volumes[:3], volumes[3:]).found == ()


def test_nothing_to_compare_gives_nothing():
    assert found([], []) == Twins((), 0)
    assert found([texture(0)], []) == Twins((), 0)


@given(st.floats(0.2, 1), st.integers(0, 40))
def test_a_sketch_does_not_depend_on_brightness_and_gain(gain: float, brightness: int):
    one, other = sketch(texture(0)), sketch(np.uint8(texture(0) * gain + brightness))
    assert one is not None
    assert other is not None
    assert (one.small * other.small).sum() > 0.99


def test_a_sketch_is_of_mean_0_and_norm_1():
    one = sketch(texture(0, channels=3))
    assert one is not None
    assert one.small.shape == (1, 16, 16)
    assert (one.small.mean(), np.linalg.norm(one.small)) == pytest.approx((0, 1), abs=1e-4)
