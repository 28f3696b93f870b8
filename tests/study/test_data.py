"""What a study says of its data."""

import pytest
from pydantic import ValidationError

from nestbench.study.data import SIZE, DatasetSpec, Folds


def said(**keys: object) -> DatasetSpec:
    return DatasetSpec.model_validate({"name": "em", **keys})


def test_where_neither_size_nor_patch_is_given_images_are_resized():
    assert (said().size, said().side) == (SIZE, SIZE)
    assert (said(patch=64).size, said(patch=64).side, said(patch=64).step) == (None, 64, 32)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"size": 96, "patch": 96}, "size 96 resizes whole images and patch 96 does not"),
        ({"dims": 3}, "volumes in 3D are seen in windows"),
        ({"stride": 8}, "stride 8 is the step between windows, and no patch is given"),
        ({"patch": 32, "stride": 33}, "stride 33 is above the patch of 32"),
        ({"window": [250, -200]}, "250 is not below -200"),
        ({"percentiles": [99, 1]}, "99 is not below 1"),
        ({"percentiles": [0, 101]}, "less than or equal to 100"),
        ({"spacing": 0}, "greater than 0"),
        ({"spacing": [1, -1, 1]}, "greater than 0"),
        ({"split": [0.5, 0.2, 0.2]}, "add up to 0.9"),
        ({"split": {"folds": 5, "fold": 5}}, "fold 5 is not one of the 5 folds, 0 to 4"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(keys: dict[str, object], sentence: str):
    with pytest.raises(ValidationError, match=sentence):
        said(**keys)


def test_a_split_is_shares_a_fold_or_official():
    assert said().split is None
    assert said(split=[0.6, 0.2, 0.2]).split == (0.6, 0.2, 0.2)
    assert said(split={"folds": 5, "fold": 2}).split == Folds(folds=5, fold=2)
    assert said(split="official").split == "official"
