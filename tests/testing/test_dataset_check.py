"""The contract of data sets that ships: it passes what keeps it and catches what does not."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from nestbench.datasets.contract import About, Case, Sample
from nestbench.errors import RequestError
from nestbench.testing import check_dataset, check_dataset_plugin


class Spots:
    """A data set as a plugin's author would write it: drawn, and three cases long."""

    about = About(title="Spots", licence="CC0-1.0", citation="", url="")
    classes = ("background", "spot")
    channels = 2
    dims = 2
    shares = (0.5, 0.25, 0.25)

    def __init__(self, root: Path, /, *, dims: int = 2) -> None:
        self.root = root
        self.dims = dims

    def cases(self) -> tuple[Case, ...]:
        return tuple(Case(f"case-{number}", f"subject-{number}") for number in range(3))

    def read(self, case: Case) -> Sample:
        instances = np.zeros((4, 5, 6)[: self.dims], np.int32)
        instances[1, 1:4] = 3 + int(case.id[-1])
        mask = (instances > 0).astype(np.uint8)
        image = np.stack([mask * 200, mask], axis=-1)
        return Sample(image, mask, instances, (1.0, 0.5, 2.0)[: self.dims])

    def fingerprint(self) -> object:
        return {"reader": 1, "folder": str(self.root)}


class Refusing(Spots):
    """One that reads a folder, and says so where it is not there."""

    def __init__(self, root: Path, /, **options: int) -> None:
        if options.keys() - {"dims"}:
            raise RequestError(f"unknown key in {options}")
        super().__init__(root, **options)

    def cases(self) -> tuple[Case, ...]:
        if not self.root.is_dir():
            raise RequestError(f"'{self.root}' is not there")
        return super().cases()


def with_read(**changes):
    """A data set whose samples are changed: each change is a function of the sample."""

    class Changed(Spots):
        def read(self, case):
            sample = super().read(case)
            return sample._replace(**{name: change(sample) for name, change in changes.items()})

    return Changed


def with_case(**changes):
    """A data set whose first case is changed."""

    class Changed(Spots):
        def cases(self):
            first, *others = super().cases()
            return (replace(first, **changes), *others)

    return Changed


def with_words(**changes):
    return type("Changed", (Spots,), changes)


class Unlisted(Spots):
    def cases(self):
        return list(super().cases())


class Empty(Spots):
    def cases(self):
        return ()


class Shuffled(Spots):
    calls = count()

    def cases(self):
        return super().cases()[:: 1 - 2 * (next(self.calls) % 2)]


class Restless(Spots):
    calls = count()

    def fingerprint(self):
        return next(self.calls)


class Opaque(Spots):
    def fingerprint(self):
        return {"folder": Path()}


class Infinite(Spots):
    def fingerprint(self):
        return float("nan")


class Noisy(Spots):
    calls = count()

    def read(self, case):
        sample = super().read(case)
        return sample._replace(image=sample.image + np.uint8(next(self.calls)))


class Forgetful(Spots):
    """Tells objects apart in its first case only."""

    def read(self, case):
        sample = super().read(case)
        return sample if case.id == "case-0" else sample._replace(instances=None)


class Careless(Spots):
    """Loses the spacing once each case was read."""

    reads = count()

    def read(self, case):
        sample = super().read(case)
        return sample if next(self.reads) < 3 else sample._replace(spacing=None)


BROKEN = [
    (with_words(about="spots"), "about says where the data set comes from"),
    (with_words(classes=("spot",)), "There are a background, which is first"),
    (with_words(classes=("background", "background")), "each with a name of its own"),
    (with_words(channels=0), "channels is a whole number above 0"),
    (with_words(shares=(0.5, 0.5)), "shares are three fractions that add up to 1"),
    (with_words(shares=(0.5, 0.3, 0.3)), "shares are three fractions that add up to 1"),
    (Unlisted, r"cases\(\) is a tuple of cases: list"),
    (Empty, "There is at least one case"),
    (Shuffled, "the same cases in the same order each time"),
    (with_case(id="case-1"), "Each case has an id of its own"),
    (with_case(subject=""), "Each case names its subject"),
    (with_case(side="train"), "Every case has an official side, or none has"),
    (Restless, r"fingerprint\(\) is the same until the contents change"),
    (Opaque, r"fingerprint\(\) is JSON data"),
    (Infinite, r"fingerprint\(\) is JSON data"),
    (with_read(image=lambda s: s.image > 0), "An image holds numbers: 'case-0' is of bool"),
    (with_read(image=lambda s: np.full(s.image.shape, np.nan)), "Every value of an image is finite"),
    (with_read(image=lambda s: s.image[..., 0]), "An image has the mask's shape, and the channels last"),
    (with_read(image=lambda s: s.image[:0], mask=lambda s: s.mask[:0]), "at least one pixel"),
    (with_read(mask=lambda s: s.mask[None]), r"A mask is \(H, W\) where dims is 2 .* is \(1, 4, 5\)"),
    (with_read(mask=lambda s: s.mask.astype(np.int64)), "A mask is of uint8: 'case-0' is of int64"),
    (with_read(mask=lambda s: s.mask * np.uint8(2)), "A mask holds positions of classes: 'case-0' has 2"),
    (with_read(instances=lambda s: s.instances.astype(np.uint16)), "Instances are of int32"),
    (with_read(instances=lambda s: s.instances[:2]), "Instances have the mask's shape"),
    (with_read(instances=lambda s: s.instances * 0), "An object is where the mask is not background"),
    (with_read(spacing=lambda s: (1.0,)), "A spacing is None, or one number above 0 for each axis"),
    (with_read(spacing=lambda s: (1.0, 0.0)), "A spacing is None, or one number above 0 for each axis"),
    (with_read(spacing=lambda s: (1.0, float("inf"))), "A spacing is None, or one number above 0 for each axis"),
    (Forgetful, "Every case has instances, or none has"),
    (Noisy, "A case reads the same each time, from several threads"),
    (Careless, "A case reads the same each time, from several threads"),
]


@pytest.mark.parametrize("dims", [2, 3])
def test_a_data_set_that_keeps_the_contract_passes(tmp_path: Path, dims: int):
    check_dataset(Spots(tmp_path, dims=dims))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int64, np.float32, np.float64])
def test_an_image_may_be_of_any_type_of_number(tmp_path: Path, dtype: type):
    check_dataset(with_read(image=lambda s: s.image.astype(dtype))(tmp_path))


def test_objects_and_spacing_may_be_unknown(tmp_path: Path):
    check_dataset(with_read(instances=lambda s: None, spacing=lambda s: None)(tmp_path))


def test_an_official_split_is_one_of_all_cases(tmp_path: Path):
    class Official(Spots):
        def cases(self):
            return tuple(replace(case, side="test") for case in super().cases())

    check_dataset(Official(tmp_path))


@pytest.mark.parametrize(("broken", "wants"), BROKEN)
def test_a_data_set_that_breaks_a_promise_is_told_which(tmp_path: Path, broken: type[Spots], wants: str):
    with pytest.raises(AssertionError, match=wants):
        check_dataset(broken(tmp_path))


def test_dims_is_2_or_3(tmp_path: Path):
    with pytest.raises(AssertionError, match="dims is 2 for pictures and 3 for volumes: 4"):
        check_dataset(Spots(tmp_path, dims=4))


def test_an_official_side_has_one_of_three_names(tmp_path: Path):
    class Misnamed(Spots):
        def cases(self):
            return tuple(replace(case, side="val") for case in super().cases())

    with pytest.raises(AssertionError, match=r"An official side is one of train, validation, test: \{'val'\}"):
        check_dataset(Misnamed(tmp_path))


def test_a_plugin_that_refuses_what_it_should_passes(tmp_path: Path):
    check_dataset_plugin(Refusing, tmp_path, dims=3)


def test_a_plugin_that_needs_no_folder_need_not_miss_it(tmp_path: Path):
    class Drawn(Refusing):
        cases = Spots.cases

    check_dataset_plugin(Drawn, tmp_path)


def test_a_plugin_is_held_to_the_promises_of_its_data_set(tmp_path: Path):
    with pytest.raises(AssertionError, match="There is at least one case"):
        check_dataset_plugin(Empty, tmp_path)


def test_an_unknown_option_is_refused_in_a_sentence(tmp_path: Path):
    with pytest.raises(AssertionError, match=r"An option that is not known is refused with RequestError: TypeError"):
        check_dataset_plugin(Spots, tmp_path)


def test_an_unknown_option_is_not_passed_over(tmp_path: Path):
    class Deaf(Spots):
        def __init__(self, root: Path, /, **options: int) -> None:
            super().__init__(root)

    with pytest.raises(AssertionError, match="An option that is not known is refused"):
        check_dataset_plugin(Deaf, tmp_path)


def test_a_missing_folder_is_refused_in_a_sentence(tmp_path: Path):
    class Raw(Refusing):
        def cases(self):
            return tuple(Case(str(number), "s") for number, _ in enumerate(self.root.iterdir()))

    (tmp_path / "0").mkdir()
    with pytest.raises(AssertionError, match=r"Where its data is not there, .* RequestError: FileNotFoundError"):
        check_dataset_plugin(Raw, tmp_path)


def test_a_missing_folder_is_not_an_empty_one(tmp_path: Path):
    class Silent(Refusing):
        def cases(self):
            return Spots.cases(self) if self.root.is_dir() else ()

    with pytest.raises(AssertionError, match=r"Where its data is not there, cases\(\) raises RequestError: None"):
        check_dataset_plugin(Silent, tmp_path)
