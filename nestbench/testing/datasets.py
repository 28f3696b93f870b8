"""What a data set promises."""

import numpy as np

from nestbench.datasets.contract import Dataset


def check_dataset(dataset: Dataset, cases: int = 3) -> None:
    """Assert that a data set keeps its promises for its first cases.

    Shapes and types are as stated, masks hold declared classes only, and reading twice gives the same.
    """
    listed = dataset.cases()
    assert listed, "a data set has at least one case, or raises RequestError"
    assert len({case.id for case in listed}) == len(listed), "ids of cases are unique"
    assert dataset.cases() == listed, "cases come in the same order each time"
    assert len(dataset.classes) >= 2, "the first class is the background"
    for case in listed[:cases]:
        image, mask, instances = dataset.read(case)
        assert image.dtype == np.uint8
        assert mask.dtype == np.uint8
        assert image.shape == (*mask.shape, dataset.channels)
        assert mask.max() < len(dataset.classes), "a mask holds indices of the declared classes"
        assert np.array_equal(image, dataset.read(case).image), "a case reads the same each time"
        if instances is not None:
            assert np.array_equal(instances > 0, mask > 0), "objects are where the mask is"
