"""What a data set promises: each assertion is a sentence of what the contract wants."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import isclose, isfinite
from pathlib import Path
from typing import Any

import numpy as np

from nestbench.datasets.contract import SIDES, About, Case, Dataset, Sample
from nestbench.errors import RequestError

_READERS = 4
_NOWHERE = "no-such-folder"
_NO_OPTION = "no_such_option"


def check_dataset_plugin(plugin: Callable[..., Dataset], root: Path, /, **options: Any) -> None:
    """Assert that a plugin keeps its promises: those of the data set that it opens, and those of what it refuses.

    ``root`` and ``options`` are ones with which it can be read. Raises AssertionError with what the contract wants.
    """
    dataset = plugin(root, **options)
    check_dataset(dataset)
    said = _refusal(lambda: plugin(root, **options, **{_NO_OPTION: 1}))
    assert isinstance(said, RequestError), f"An option that is not known is refused with RequestError: {said!r}"
    elsewhere = _refusal(lambda: plugin(root / _NOWHERE, **options).cases() == dataset.cases() or None)
    assert elsewhere is True or isinstance(elsewhere, RequestError), (
        f"Where its data is not there, cases() raises RequestError: {elsewhere!r}"
    )


def check_dataset(dataset: Dataset, cases: int = 3) -> None:
    """Assert that a data set keeps its promises, those of what it reads for its first cases.

    Raises AssertionError with what the contract wants.
    """
    _check_words(dataset)
    listed = dataset.cases()
    _check_cases(dataset, listed)
    _check_fingerprint(dataset)
    samples = [dataset.read(case) for case in listed[:cases]]
    for case, sample in zip(listed, samples, strict=False):
        _check_image(dataset, case, sample)
        _check_mask(dataset, case, sample)
        _check_spacing(case, sample)
    told_apart = {sample.instances is None for sample in samples}
    assert len(told_apart) == 1, "Every case has instances, or none has"
    _check_threads(dataset, listed[:cases], samples)


def _refusal(call: Callable[[], Any]) -> Any:
    """What a call raises, or else what it returns."""
    try:
        return call()
    except Exception as error:  # a plugin may raise anything
        return error


def _check_words(dataset: Dataset) -> None:
    assert isinstance(dataset.about, About), "about says where the data set comes from, as an About"
    names = dataset.classes
    assert len(names) >= 2, f"There are a background, which is first, and at least one other class: {names}"
    assert len(set(names)) == len(names) <= 256, f"There are at most 256 classes, each with a name of its own: {names}"
    assert dataset.channels in range(1, 2**16), f"channels is a whole number above 0: {dataset.channels}"
    assert dataset.dims in (2, 3), f"dims is 2 for pictures and 3 for volumes: {dataset.dims}"
    shares = dataset.shares
    whole = len(shares) == 3 and all(0 < share < 1 for share in shares) and isclose(sum(shares), 1, abs_tol=1e-6)
    assert whole, f"shares are three fractions that add up to 1: {shares}"


def _check_cases(dataset: Dataset, listed: tuple[Case, ...]) -> None:
    assert isinstance(listed, tuple), f"cases() is a tuple of cases: {type(listed).__name__}"
    assert listed, "There is at least one case, or cases() raises RequestError"
    assert dataset.cases() == listed, "cases() gives the same cases in the same order each time"
    ids = [case.id for case in listed]
    assert len(set(ids)) == len(ids), "Each case has an id of its own"
    assert all(case.subject for case in listed), "Each case names its subject"
    sides = {case.side for case in listed}
    assert sides == {None} or None not in sides, "Every case has an official side, or none has"
    assert sides <= {None, *SIDES}, f"An official side is one of {', '.join(SIDES)}: {sides}"


def _check_fingerprint(dataset: Dataset) -> None:
    found = dataset.fingerprint()
    try:
        kept = json.loads(json.dumps(found, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"fingerprint() is JSON data: {error}") from error
    again = json.loads(json.dumps(dataset.fingerprint()))
    assert kept == again, "fingerprint() is the same until the contents change"


def _check_image(dataset: Dataset, case: Case, sample: Sample) -> None:
    image, mask = sample.image, sample.mask
    assert image.dtype.kind in "uif", f"An image holds numbers: '{case.id}' is of {image.dtype}"
    assert np.isfinite(image).all(), f"Every value of an image is finite: '{case.id}' has others"
    assert image.size, f"An image has at least one pixel: '{case.id}' is {image.shape}"
    assert mask.ndim == dataset.dims, (
        f"A mask is (H, W) where dims is 2 and (D, H, W) where it is 3: '{case.id}' is {mask.shape}"
    )
    assert image.shape == (*mask.shape, dataset.channels), (
        f"An image has the mask's shape, and the channels last: '{case.id}' is {image.shape}, its mask {mask.shape}"
    )


def _check_mask(dataset: Dataset, case: Case, sample: Sample) -> None:
    mask, instances = sample.mask, sample.instances
    assert mask.dtype == np.uint8, f"A mask is of uint8: '{case.id}' is of {mask.dtype}"
    assert mask.max() < len(dataset.classes), f"A mask holds positions of classes: '{case.id}' has {mask.max()}"
    if instances is None:
        return
    assert instances.dtype == np.int32, f"Instances are of int32: '{case.id}' is of {instances.dtype}"
    assert instances.shape == mask.shape, f"Instances have the mask's shape: '{case.id}' is {instances.shape}"
    assert np.array_equal(instances > 0, mask > 0), (
        f"An object is where the mask is not background: '{case.id}' differs"
    )


def _check_spacing(case: Case, sample: Sample) -> None:
    spacing = sample.spacing
    if spacing is None:
        return
    right = len(spacing) == sample.mask.ndim and all(isfinite(step) and step > 0 for step in spacing)
    assert right, f"A spacing is None, or one number above 0 for each axis of the mask: '{case.id}' has {spacing}"


def _check_threads(dataset: Dataset, cases: Sequence[Case], samples: Sequence[Sample]) -> None:
    asked = [number for number in range(len(cases)) for _ in range(_READERS)]
    with ThreadPoolExecutor(_READERS) as pool:
        again = list(pool.map(lambda number: dataset.read(cases[number]), asked))
    for number, sample in zip(asked, again, strict=True):
        assert _same(sample, samples[number]), (
            f"A case reads the same each time, from several threads at once too: '{cases[number].id}' differs"
        )


def _same(one: Sample, other: Sample) -> bool:
    arrays = zip((one.image, one.mask, one.instances), (other.image, other.mask, other.instances), strict=True)
    return one.spacing == other.spacing and all(
        a is b is None or (a is not None and b is not None and a.dtype == b.dtype and np.array_equal(a, b))
        for a, b in arrays
    )
