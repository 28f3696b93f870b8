import json
from pathlib import Path

import pytest

from nestbench.datasets.readers.decathlon_json import Description, read_description
from nestbench.errors import RequestError

DECATHLON = {
    "name": "Heart",
    "modality": {"0": "MRI", "1": "T2"},
    "labels": {"0": "background", "2": "right", "1": "left"},
    "numTraining": 2,
    "training": [{"image": "./imagesTr/la_003.nii.gz", "label": "./labelsTr/la_003.nii.gz"}],
    "test": ["./imagesTs/la_001.nii.gz"],
}
NNUNET = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "left": 1, "right": "2"},
    "numTraining": 2,
    "file_ending": ".nrrd",
}


def read(folder: Path, content: object) -> Description:
    (folder / "dataset.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return read_description(folder / "dataset.json")


def test_a_task_of_the_decathlon_names_values_and_lists_files(tmp_path: Path):
    labels = ((0, "background"), (1, "left"), (2, "right"))
    assert read(tmp_path, DECATHLON) == Description(("MRI", "T2"), labels, ("la_003.nii.gz",))
    assert read(tmp_path, DECATHLON | {"training": ["./imagesTr/a.nii.gz"]}).training == ("a.nii.gz",)


def test_nnunet_gives_names_their_values(tmp_path: Path):
    assert read(tmp_path, NNUNET) == Description(("CT",), ((0, "background"), (1, "left"), (2, "right")), ())
    assert read(tmp_path, "\ufeff" + json.dumps(NNUNET)).channels == ("CT",)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"labels": {"background": 0, "whole": [1, 2], "core": 2}}, "the label 'whole' is a region of several values"),
        ({"labels": {"background": 0, "a": 1, "ignore": 2}}, "there is a label 'ignore'"),
        ({"labels": {"0": "background", "1": "a", "2": "Ignore"}}, "there is a label 'ignore'"),
        ({"labels": {"background": 0, "a": 1, "b": 1}}, r"the labels have the values \[0, 1, 1\]"),
        ({"labels": {"a": 1, "b": 2}}, r"the labels have the values \[1, 2\]: .* the background's is 0"),
        ({"labels": {"background": 0, "a": -1}}, r"values \[-1, 0\]"),
        ({"labels": {"background": 0}}, "at least 2 items"),
        ({"labels": {"background": 0, "a": "one"}}, "the label 'a' has the value 'one', and not a whole number"),
        ({"labels": {"background": 0, "a": None}}, "labels.* is not given"),
        ({"labels": {"background": 0, "a": 1.5}}, "the label 'a' has the value '1.5', and not a whole"),
        ({"labels": ["background", "a"]}, r"labels is \['background', 'a'\]"),
        ({"channel_names": {}}, "must name channels 0, 1, ..., and names"),
        ({"channel_names": {"1": "CT"}}, r"must name channels 0, 1, ..., and names \['1'\]"),
        ({"training": [{"label": "a"}]}, "training.0.image"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(tmp_path: Path, content: dict[str, object], sentence: str):
    with pytest.raises(RequestError, match=rf"^'.*dataset\.json': [^\n]*{sentence}[^\n]*$"):
        read(tmp_path, NNUNET | content)


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "\x00"])
def test_what_is_no_json_is_named(tmp_path: Path, content: str):
    with pytest.raises(RequestError, match=r"^cannot read '.*dataset\.json': [^\n]+$"):
        read(tmp_path, content)


def test_json_of_another_kind_is_named(tmp_path: Path):
    with pytest.raises(RequestError, match=r"^'.*dataset\.json' is \[1, 2\], but must hold keys and their values$"):
        read(tmp_path, [1, 2])
