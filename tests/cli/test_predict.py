import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
import torch
from fake_lidc import write_slice
from PIL import Image

from nestbench.cli import answer
from nestbench.formats.geometry import same_grid
from nestbench.formats.volumes import read_volume
from nestbench.model import build, load, prune, save
from nestbench.model.files import Use
from nestbench.predict import predict_mask


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights for images and for volumes, and images of every format."""
    generator = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    Image.fromarray(generator.integers(0, 256, (30, 41), dtype=np.uint8)).save(tmp_path / "in" / "a.png")
    tifffile.imwrite(tmp_path / "in" / "b.tif", generator.integers(0, 4000, (33, 20)).astype(np.uint16))
    volume = generator.normal(size=(10, 12, 9)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([1, 2, 3, 1])), tmp_path / "in" / "c.nii.gz")
    torch.manual_seed(0)
    save(build("unet++ds", "plain:2", 2), tmp_path / "w", Use(16, ("background", "cell")))
    save(build("unet++", "plain:2", 2, dims=3), tmp_path / "w3")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def predicted(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert answer(["predict", *arguments, "--device", "cpu"]) == 0
    return capsys.readouterr().out


def test_every_image_of_a_folder_gets_its_mask(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = predicted(capsys, "w", "in", "--out", "out").splitlines()
    assert said[:3] == [f"in/{n} -> out/{n}" for n in ("a.png", "b.tif", "c.nii.gz")]
    assert said[3:] == ["3 of 3 images to masks in out by ensemble, resized to 16 pixels a side"]
    assert np.asarray(Image.open("out/a.png")).shape == (30, 41)
    assert tifffile.imread("out/b.tif").shape == (33, 20)
    assert nibabel.load("out/c.nii.gz").shape == (10, 12, 9)


def test_the_options_are_those_of_the_function(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predicted(capsys, "w", "in/a.png", "--out", "out", "--size", "own", "--depth", "1", "--window", "16")
    image = np.asarray(Image.open("in/a.png"))[..., None]
    expected = predict_mask(prune(load("w"), 1), image, window=16)
    # The machine's plan may compute in bfloat16.
    assert (np.asarray(Image.open("out/a.png")) == expected).mean() > 0.9


def test_the_other_engine_predicts_the_same(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openvino", reason="the extra 'openvino' is not installed")
    for engine in ("torch", "openvino"):
        predicted(capsys, "w", "in/a.png", "--out", engine, "--depth", "1", "--engine", engine, "--probabilities")
    ours, theirs = (np.load(f"{engine}/a.npy") for engine in ("torch", "openvino"))
    np.testing.assert_allclose(theirs, ours, atol=0.02)  # the machine's plan may compute in bfloat16


def test_a_network_of_volumes_takes_them_whole(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "by L2, as they are" in predicted(capsys, "w3", "in/*.nii.gz", "--out", "out", "--probabilities")
    probability, mask = np.load("out/c.npy"), np.asarray(nibabel.load("out/c.nii.gz").dataobj)
    assert probability.shape == (2, 10, 12, 9)
    np.testing.assert_array_equal(probability[1] >= 0.5, mask == 1)


def test_json_tells_what_was_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads(predicted(capsys, "w", "in/a.png", "--out", "out", "--json"))
    assert {key: said[key] for key in ("output", "size", "classes")} == {
        "output": "ensemble",
        "size": 16,
        "classes": ["background", "cell"],
    }
    (image,) = said["images"]
    assert (image["image"], image["mask"], image["probabilities"]) == ("in/a.png", "out/a.png", None)
    assert sum(image["pixels"]) == 30 * 41


HOW = {
    "nothing": (Use(), [], "as they are"),
    "a size": (Use(16), [], "resized to 16 pixels a side"),
    "a size that is asked for": (Use(16), ["--size", "24"], "resized to 24 pixels a side"),
    "a patch": (Use(patch=16), [], "as they are, in windows of 16 pixels a side"),
    "windows that are asked for": (Use(patch=8), ["--window", "16"], "as they are, in windows of 16 pixels a side"),
    "a spacing": (Use(spacing=2.5), [], "resampled to 2.5 mm"),
    "a spacing for each axis": (Use(spacing=(3, 1, 1)), [], "resampled to 3 x 1 x 1 mm"),
    "pixels as they are": (Use(16, spacing=2.5), ["--size", "own"], "as they are"),
    "a window of values": (Use(window=(-1.5, 2)), [], "as they are, values from -1.5 to 2"),
    "all of it": (
        Use(16, spacing=2, patch=8, window=(-1, 2)),
        [],
        "resampled to 2 mm, resized to 16 pixels a side, in windows of 8 pixels a side, values from -1 to 2",
    ),
}


@pytest.mark.parametrize("kind", HOW)
def test_it_is_said_how_images_were_taken(kind: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about, options, words = HOW[kind]
    save(load("w"), "w1", about)
    last = predicted(capsys, "w1", "in/c.nii.gz", "--out", "out", *options).splitlines()[-1]
    assert last == f"1 of 1 images to masks in out by ensemble, {words}"


def test_json_says_how_images_were_taken(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(load("w"), "w1", Use(patch=8, spacing=(3, 1, 1), window=(-1, 2)))
    said = json.loads(predicted(capsys, "w1", "in/c.nii.gz", "--out", "out", "--json"))
    view = {"size": None, "spacing": [3, 1, 1], "patch": 8, "window": 8, "values": [-1, 2], "percentiles": None}
    assert view.items() <= said.items()
    said = json.loads(predicted(capsys, "w", "in/c.nii.gz", "--out", "out", "--json", "--size", "own"))
    view = {"size": None, "spacing": None, "patch": None, "window": 1024, "values": None, "percentiles": [0.5, 99.5]}
    assert view.items() <= said.items()


def test_an_image_that_says_no_spacing_is_told_of_where_training_had_one(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(load("w"), "w1", Use(spacing=2))
    assert answer(["predict", "w1", "in", "--out", "out", "--device", "cpu"]) == 1
    said = capsys.readouterr()
    assert [line.split("'")[1] for line in said.err.splitlines()] == ["in/a.png", "in/b.tif"]
    assert all("does not say its spacing" in line for line in said.err.splitlines())
    assert [p.name for p in (here / "out").iterdir()] == ["c.nii.gz"]


def test_a_folder_of_a_series_gets_one_mask(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        write_slice(here / "ct" / f"{number}.dcm", np.arange(80).reshape(8, 10), z=-2.0 * number)
    assert predicted(capsys, "w3", "ct", "--out", "out").splitlines()[0] == "ct -> out/ct.nii.gz"
    assert same_grid(read_volume(here / "ct"), read_volume(here / "out" / "ct.nii.gz"))


def test_a_corrupt_image_does_not_stop_the_others(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a0.png", "b0.nii"):
        (here / "in" / name).write_bytes(b"rubbish")
    assert answer(["predict", "w", "in", "--out", "out", "--device", "cpu"]) == 1
    said = capsys.readouterr()
    assert [line.split("'")[1] for line in said.err.splitlines()] == ["in/a0.png", "in/b0.nii"]
    assert said.out.splitlines()[-1].startswith("3 of 5 images")
    assert sorted(p.name for p in (here / "out").iterdir()) == ["a.png", "b.tif", "c.nii.gz"]


def test_a_colour_image_among_grey_ones_does_not_stop_them(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(here / "in" / "a0.png")
    assert answer(["predict", "w", "in", "--out", "out", "--device", "cpu"]) == 1
    said = capsys.readouterr()
    assert said.err == "error: 'in/a0.png' has 3 channels, and the network takes 1 channel\n"
    assert said.out.splitlines()[-1].startswith("3 of 4 images")
    assert sorted(p.name for p in (here / "out").iterdir()) == ["a.png", "b.tif", "c.nii.gz"]


def test_json_tells_what_failed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "in" / "a.png").write_bytes(b"rubbish")
    assert answer(["predict", "w", "in/a.png", "--out", "out", "--json", "--device", "cpu"]) == 1
    (image,) = json.loads(capsys.readouterr().out)["images"]
    assert image.keys() == {"image", "error"}


WRONG = {
    "no such weights": (["absent", "in"], "cannot read weights from 'absent'"),
    "an image as weights": (["in/a.png", "in"], "no safetensors file"),
    "no image matches": (["w", "in/*.jpg"], "no image matches 'in/*.jpg'"),
    "no such image": (["w", "in/z.png"], "'in/z.png' is not there"),
    "no such device": (["w", "in", "--device", "gpu"], "unknown device 'gpu'"),
    "a depth without a head": (["w", "in", "--depth", "3"], "a head was trained only at depth 1, 2"),
    "a size that is none": (["w", "in", "--size", "large"], "--size 'large' is neither"),
    "a size of zero": (["w", "in", "--size", "0"], "--size '0' is neither"),
    "a size below the network's": (["w", "in", "--size", "2"], "size 2 is too small"),
    "a window below the network's": (["w", "in", "--window", "1"], "window 1 is too small"),
    "a patch below the network's": (["small", "in"], "patch 2 is too small"),
    "an overlap of one": (["w", "in", "--overlap", "1"], "overlap 1 is not between"),
    "a picture for volumes": (["w3", "in/a.png"], "'in/a.png' is a picture"),
    "colour for a grey network": (["w", "colour.png"], "no image fits the network: 'colour.png' has 3 channels"),
    "one name for two": (["w", "in/a.png", "a.jpg"], "would both be written to"),
    "the folder of the images": (["w", "in", "--out", "in"], "would overwrite the image"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_request_is_one_sentence_before_any_work(
    kind: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save("colour.png")
    Image.fromarray(np.zeros((20, 20), np.uint8)).save("a.jpg")
    save(load("w"), "small", Use(patch=2))
    arguments, words = WRONG[kind]
    out = [] if "--out" in arguments else ["--out", "out"]
    assert answer(["predict", *arguments, *out]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert words in said.err
    assert not (here / "out").exists()
