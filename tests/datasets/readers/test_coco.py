import json
from pathlib import Path

import numpy as np
import pytest

from nestbench.datasets.open import open_dataset
from nestbench.datasets.preparing import prepare
from nestbench.datasets.readers.coco import Coco
from nestbench.errors import RequestError
from nestbench.study.data import DatasetSpec
from nestbench.testing.datasets import check_dataset_plugin

SQUARE = [[2, 2, 8, 2, 8, 8, 2, 8]]
SMALL = [[4, 4, 6, 4, 6, 6, 4, 6]]


def annotation(number: int, image: int, **changed) -> dict:
    return {"id": number, "image_id": image, "category_id": 5, "segmentation": SQUARE, "iscrowd": 0} | changed


@pytest.fixture
def content() -> dict:
    """Four images, of which the last has no object."""
    images = [{"id": 10 + n, "file_name": f"p{n // 2}_{n}.png", "width": 24, "height": 20} for n in range(4)]
    # The smaller object is drawn over although it comes first, and the bare one of run lengths stands alone.
    objects = [annotation(1, 10, segmentation=SMALL, category_id=7), annotation(2, 10), annotation(3, 11)]
    objects.append(annotation(4, 12, segmentation={"size": [20, 24], "counts": [0, 20, 460]}))
    categories = [{"id": 5, "name": "cell", "supercategory": "x"}, {"id": 7, "name": "nucleus"}]
    return {"info": {"year": 2020}, "images": images, "annotations": objects, "categories": categories}


@pytest.fixture
def made(tmp_path: Path, content: dict, save) -> Path:
    rng = np.random.default_rng(0)
    for image in content["images"]:
        save(tmp_path / "own" / "images" / image["file_name"], rng.integers(0, 256, (20, 24), np.uint8))
    return written(tmp_path / "own", content)


def written(folder: Path, content: object) -> Path:
    (folder / "annotations.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def opened(folder: Path, **options) -> Coco:
    return Coco(Path(), path=str(folder), **options)


def read_all(data: Coco):
    return [data.read(case) for case in data.cases()]


def test_objects_have_their_pixels_numbers_and_classes(made: Path):
    data = opened(made)
    first, second, third, empty = read_all(data)
    assert data.classes == ("background", "cell", "nucleus")
    assert np.bincount(first.instances.ravel()).tolist() == [480 - 36, 4, 32]
    assert (first.instances[4:6, 4:6] == 1).all()
    assert (first.mask[4:6, 4:6] == 2).all()
    assert np.bincount(first.mask.ravel()).tolist() == [480 - 36, 32, 4]
    assert second.instances.max() == 1
    assert (third.mask[:, 0] == 1).all()
    assert not third.mask[:, 1:].any()
    assert empty.instances.max() == empty.mask.max() == 0


def test_the_contract_is_kept(made: Path):
    check_dataset_plugin(Coco, Path(), path=str(made))
    check_dataset_plugin(Coco, made.parent, path="own", classes=["nucleus"], subject="(p[0-9]+)_")


def test_only_the_classes_that_are_asked_for_are_objects(made: Path):
    first, second, *_ = read_all(opened(made, classes=["nucleus"]))
    assert np.bincount(first.instances.ravel()).tolist() == [476, 4]
    assert second.instances.max() == 0


def test_a_category_called_background_is_the_background(made: Path, content: dict):
    content["categories"][1]["name"] = "background"
    data = opened(written(made, content))
    assert data.classes == ("background", "cell")
    assert (data.read(data.cases()[0]).instances > 0).sum() == 36


def test_crowds_are_refused_left_out_or_objects_as_the_study_says(made: Path, content: dict):
    content["annotations"][2]["iscrowd"] = 1
    written(made, content)
    with pytest.raises(RequestError, match=r"annotation 3 of .* is a crowd: say crowd: background"):
        opened(made).cases()
    for crowd, count in (("background", 0), ("object", 1)):
        assert read_all(opened(made, crowd=crowd))[1].instances.max() == count


def test_the_expression_finds_the_subject(made: Path):
    assert [case.subject for case in opened(made, subject="(p[0-9]+)_").cases()] == ["p0", "p0", "p1", "p1"]


def test_a_change_of_the_file_or_the_options_changes_the_fingerprint(made: Path, content: dict):
    before = opened(made).fingerprint()
    assert opened(made, crowd="object").fingerprint() != before
    content["annotations"].pop()
    written(made, content)
    assert opened(made).fingerprint() != before


@pytest.mark.parametrize(
    ("part", "place", "changed", "sentence"),
    [
        ("annotations", 1, {"category_id": 9}, r"image 'p0_0\.png' with the category 9, .*\(5 cell, 7 nucleus\)"),
        ("annotations", 1, {"image_id": 99}, "annotation 2 of image 99, which is not among its images"),
        ("annotations", 1, {"id": 1}, "has two annotations of the number 1"),
        ("images", 1, {"id": 10}, "has two images of the number 10"),
        ("images", 1, {"file_name": "p0_0.png"}, "has two images of the name 'p0_0.png'"),
        ("images", 1, {"file_name": "gone.png"}, r"images' lacks images that '.*annotations\.json' lists: 'gone\.png'"),
        ("images", 1, {"width": 0}, r"images\.1\.width is 0"),
        ("categories", 1, {"id": 5}, "has two categories of the number 5"),
        ("categories", 1, {"name": "cell"}, "has two categories of the name 'cell'"),
        ("annotations", 1, {"segmentation": [[1, 2, float("nan"), 4, 5, 6]]}, r"annotations\.1\.segmentation.* is nan"),
        ("annotations", 1, {"segmentation": {"size": [20, 24], "counts": [-1]}}, r"segmentation.* is -1"),
        ("annotations", 1, {"iscrowd": 2}, r"annotations\.1\.iscrowd is 2"),
    ],
)  # fmt: skip
def test_what_a_file_has_wrong_is_named_before_an_image_is_read(made, content, part, place, changed, sentence):
    content[part][place] |= changed
    with pytest.raises(RequestError, match=sentence):
        opened(written(made, content)).cases()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("{", r"cannot read '.*annotations\.json'"),
        ({"images": [], "annotations": [], "categories": []}, r"images is \[\]"),
        ({"annotations": []}, "the key 'images' is missing"),
        ([1, 2], r"annotations\.json' is \[1, 2\], but must hold keys and their values"),
    ],
)
def test_a_file_that_is_none_of_cocos_is_named(made: Path, said: object, sentence: str):
    with pytest.raises(RequestError, match=sentence):
        opened(written(made, said)).cases()


def test_a_missing_folder_or_file_is_named(tmp_path: Path, made: Path):
    with pytest.raises(RequestError, match="data set 'coco' is not there"):
        opened(tmp_path / "nowhere").cases()
    with pytest.raises(RequestError, match=r"cannot read '.*other\.json': No such file or directory"):
        opened(made, annotations="other.json").cases()


def test_an_unknown_class_is_named_with_the_nearest_category(made: Path):
    with pytest.raises(RequestError, match="unknown category 'nucleos'; did you mean 'nucleus'"):
        _ = opened(made, classes=["nucleos"]).classes


def test_every_object_outside_its_image_is_named_with_its_image(made: Path, content: dict):
    for number in (1, 2):
        content["annotations"][number]["segmentation"] = [[1, 1, 30, 1, 4, 4]]
    spec = DatasetSpec(name="coco", path=str(written(made, content)), size=16)
    with pytest.raises(RequestError, match=r"2 of the 4 cases.*annotation 2 of image 'p0_0\.png'.*annotation 3 of"):
        prepare(spec, Path(), made.parent / "cache")


def test_an_image_of_another_size_than_the_file_says_is_named(made: Path, content: dict):
    content["images"][0]["width"] = 25
    with pytest.raises(RequestError, match=r"p0_0\.png' is 24 x 20 pixels, in '.*annotations\.json' it is 25 x 20"):
        read_all(opened(written(made, content)))


def test_a_study_gets_its_objects_at_its_own_size(made: Path):
    spec = DatasetSpec(name="coco", path=str(made), size=40)
    found = prepare(spec, Path(), made.parent / "cache")
    assert found.has_instances
    assert np.unique(found.instances(0)).tolist() == [0, 1, 2]
    assert found.objects()["class"].tolist() == [2, 1, 1, 1]


def test_colour_anywhere_makes_three_channels(made: Path, save):
    assert open_dataset(DatasetSpec(name="coco", path=str(made)), Path()).channels == 1
    save(made / "images" / "p0_0.png", np.zeros((20, 24, 3), np.uint8))
    assert {sample.image.shape for sample in read_all(opened(made))} == {(20, 24, 3)}
