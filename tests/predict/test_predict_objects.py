"""Objects in images of any size, as the study that trained the network told them apart."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_objects import PLAN, network, squares
from torch.nn import functional

from nestbench.cli import answer
from nestbench.datasets.contract import Case
from nestbench.datasets.resize import resized_image
from nestbench.engine import make_engine
from nestbench.errors import RequestError
from nestbench.find import judge_objects, make_finder, outputs_of, settle
from nestbench.instances.separate import Separation
from nestbench.instances.ways import Least
from nestbench.model import build, save
from nestbench.model.files import Use
from nestbench.predict.objects import _restored, predict_objects

EVERY = Least(0.0)
"""An untrained Mask R-CNN is sure of little."""


def sided(name):
    torch.manual_seed(0)
    return network(name) if name.startswith("maskrcnn") else build(name, "plain:4", 2)


def ready(model):
    return make_finder(model, PLAN) if model.spec.primary == "masks" else make_engine(model, PLAN)


def picture(feed, case=0):
    """A picture (H, W, C) of a feed."""
    image = feed.images(case, tuple(slice(0, side) for side in feed.spaces[case]))
    return image[:, 0].movedim(0, -1).numpy()


@pytest.mark.parametrize("name", ["maskrcnn++", "unet", "unet++ds"])
def test_an_image_gets_the_objects_that_the_study_would_have_counted(name):
    model, feed = sided(name), squares(2)
    way = settle(model, feed, PLAN)[outputs_of(model.spec)[-1]] if name.startswith("unet") else EVERY
    judged = judge_objects(
        model, {outputs_of(model.spec)[-1]: way}, feed, [Case("0", "0"), Case("1", "1")], PLAN, "test"
    )
    for case, one in enumerate(judged):
        found = predict_objects(ready(model), picture(feed, case), way, (32, 32))
        np.testing.assert_array_equal(found, one.labels)
        assert found.max() > 0


@pytest.mark.parametrize("name", ["maskrcnn", "unet"])
def test_objects_are_told_apart_at_the_size_of_training_and_brought_back_to_the_images_own(name):
    model, way = sided(name), EVERY if name == "maskrcnn" else Separation("watershed", 0.3)
    image = picture(squares(1)).repeat(2, axis=0)[:53, :29]
    seen = predict_objects(ready(model), resized_image(image, (32, 32)), way, (32, 32))
    nearest = functional.interpolate(torch.from_numpy(seen)[None, None].float(), (53, 29), mode="nearest-exact")
    found = predict_objects(ready(model), image, way, (32, 32))
    np.testing.assert_array_equal(found, nearest[0, 0].numpy())
    assert found.max() > 0


def test_a_volume_has_no_objects():
    with pytest.raises(RequestError, match="the image is a volume, and objects are told apart in pictures"):
        predict_objects(ready(sided("unet")), np.zeros((4, 32, 32, 1), np.uint8), Separation(), (4, 32, 32))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights of a Mask R-CNN, and a picture."""
    monkeypatch.chdir(tmp_path)
    save(sided("maskrcnn"), "w", Use(32, ("background", "cell"), apart=EVERY))
    Image.fromarray(picture(squares(1))[..., 0]).save("a.png")
    return tmp_path


def said(*arguments: str) -> int:
    return answer(["predict", "w", "a.png", "--out", "out", "--device", "cpu", *arguments])


def test_the_command_writes_the_number_of_each_pixels_object_in_16_bits(here: Path, capsys: pytest.CaptureFixture[str]):
    assert said("--json") == 0
    (image,) = json.loads(capsys.readouterr().out)["images"]
    written = np.asarray(Image.open("out/a.png"))
    assert written.dtype == np.uint16
    assert image["objects"] == written.max() > 0
    assert image["pixels"] == [(written == 0).sum(), (written > 0).sum()]
    assert said() == 0
    assert (
        capsys.readouterr().out.splitlines()[-1]
        == "1 of 1 images to objects in out by masks, resized to 32 pixels a side"
    )


def test_a_mask_r_cnn_that_learnt_in_windows_is_said_to_see_images_whole(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(sided("maskrcnn"), "w", Use(patch=16, apart=EVERY))
    assert said("--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["window"], told["patch"]) == (None, None)
    assert said() == 0
    assert capsys.readouterr().out.endswith("1 of 1 images to objects in out by masks, as they are\n")


@pytest.mark.usefixtures("here")
def test_an_object_without_a_pixel_in_a_smaller_image_is_not_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.arange(1, 26, dtype=np.int32).reshape(5, 5)
    monkeypatch.setattr("nestbench.predict.batch.predict_objects", lambda *_, **__: _restored(labels, (2, 3)))
    assert said("--json") == 0
    (image,) = json.loads(capsys.readouterr().out)["images"]
    assert image["objects"] == len(np.unique(np.asarray(Image.open("out/a.png")))) == 6


@pytest.mark.parametrize(
    ("option", "why"),
    [
        (("--probabilities",), "--probabilities are of classes, and these weights tell objects apart"),
        (("--engine", "openvino"), "engine 'openvino' takes networks of classes, and no Mask R-CNN (allowed: torch)"),
        (
            ("--window", "16"),
            "--window is for networks of classes, and these weights' Mask R-CNN sees images whole",
        ),
        (("--depth", "2"), "cannot prune Mask R-CNN to depth 2"),
    ],
)
def test_what_a_mask_r_cnn_cannot_is_said_in_a_sentence(here, option, why, capsys):
    assert said(*option) == 2
    assert why in capsys.readouterr().err
    assert not Path("out").exists()
