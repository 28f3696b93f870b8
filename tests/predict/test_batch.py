import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from tiny_volumes import SPL, save_nifti, turned

from nestbench.datasets.feed import feed
from nestbench.datasets.preparing import prepare
from nestbench.datasets.resize import resized_image, resized_mask
from nestbench.engine import make_engine
from nestbench.evaluate import judge
from nestbench.formats.geometry import canonical
from nestbench.formats.volumes import read_volume
from nestbench.machine import Plan
from nestbench.model import build
from nestbench.model.files import Use
from nestbench.predict import predict_mask
from nestbench.predict.batch import predict_files
from nestbench.predict.images import space_of, take
from nestbench.predict.tasks import plan_tasks
from nestbench.study.data import DatasetSpec

PLAN = Plan("cpu", "float32", "contiguous", 1)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build("unet++ds", "plain:2", 2)


@pytest.fixture
def tasks(tmp_path):
    """Three pictures, the second of them damaged."""
    generator = np.random.default_rng(0)
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(generator.integers(0, 256, (20, 24), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"rubbish")
    return plan_tasks([tmp_path / name for name in ("a.png", "b.png", "c.png")], tmp_path / "out", probabilities=True)


def test_a_damaged_image_does_not_stop_the_others(model, tasks):
    done = list(predict_files(make_engine(model, PLAN), tasks))
    assert [bool(one.reason) for one in done] == [False, True, False]
    assert "b.png" in done[1].reason
    assert "\n" not in done[1].reason
    assert not any(path.exists() for path in tasks[1].outputs)
    for one in (done[0], done[2]):
        mask = np.asarray(Image.open(one.task.mask))
        np.testing.assert_array_equal(mask, predict_mask(model, take(one.task.source, 1).pixels))
        assert one.pixels == tuple(np.bincount(mask.ravel(), minlength=2))


def test_an_image_that_does_not_fit_does_not_stop_the_others(model, tasks):
    Image.fromarray(np.zeros((20, 24, 3), np.uint8)).save(tasks[1].source)
    done = list(predict_files(make_engine(model, PLAN), tasks))
    assert [bool(one.reason) for one in done] == [False, True, False]
    assert done[1].reason == f"'{tasks[1].source}' has 3 channels, and the network takes 1 channel"
    assert not any(path.exists() for path in tasks[1].outputs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_network_of_another_type_follows_the_plan(model, tasks, dtype, precision):
    done = list(predict_files(make_engine(model.to(dtype), Plan("cpu", precision, "contiguous", 1)), tasks[:1]))
    assert [one.reason for one in done] == [""]


def test_probabilities_are_those_of_the_mask(model, tasks):
    done = next(iter(predict_files(make_engine(model, PLAN), tasks, Use(size=16))))
    probability = np.load(done.task.probabilities)
    np.testing.assert_array_equal(probability[1] >= 0.5, np.asarray(Image.open(done.task.mask)) == 1)


def test_whatever_a_network_raises_is_told_with_the_name_of_the_image(model, tasks):
    def fail(_):
        raise IndexError("no such feature")

    model.encoder.forward = fail
    for one in predict_files(make_engine(model, PLAN), tasks):
        assert f"'{one.task.source}'" in one.reason
        assert ("damaged" in one.reason) == (one.task.source.name == "b.png")


def test_a_folder_that_takes_no_files_is_told_with_the_name_of_the_image(model, tasks, tmp_path):
    (tmp_path / "out").write_text("a file")
    done = list(predict_files(make_engine(model, PLAN), tasks))
    assert all(one.task.source.name in one.reason for one in done)


def blobs(number: int, shape: tuple[int, ...], kind: type) -> np.ndarray:
    """Smooth noise from -300 to 300, or in 8 bits."""
    values = gaussian_filter(np.random.default_rng(number).normal(size=shape), 1.5)
    values = 2 * (values - values.min()) / np.ptp(values) - 1
    return (127.5 * (values + 1) if kind == np.uint8 else 300 * values).astype(kind)


@pytest.fixture
def volumes(tmp_path):
    """A data set of two volumes, stored with odd axes, and the paths of its images."""
    for name, order, shape in (("a", (2, 0, 1), (9, 21, 18)), ("b", (1, 0, 2), (6, 13, 26))):
        values = blobs(len(shape) + shape[0], shape, np.int16)
        for part, content in (("images", values), ("masks", (values > 100).astype(np.uint8))):
            save_nifti(tmp_path / "set" / part / f"{name}.nii.gz", *turned(content, SPL, order, (True, False, True)))
    return [tmp_path / "set" / "images" / f"{name}.nii.gz" for name in "ab"]


@pytest.fixture(params=["8 bits", "16 bits"])
def photographs(request, tmp_path):
    """A data set of two pictures, and their paths; those of 16 bits are thirty times as bright."""
    for name, shape in (("a", (21, 18)), ("b", (13, 33))):
        values = blobs(shape[0], shape, np.uint8)
        mask = (values > 180).astype(np.uint8)
        image = values.astype(np.uint16) * 30 if request.param == "16 bits" else values
        for part, content in (("images", image), ("masks", mask)):
            (tmp_path / "set" / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(content).save(tmp_path / "set" / part / f"{name}.png")
    return [tmp_path / "set" / "images" / f"{name}.png" for name in "ab"]


def judged(sources, words):
    """How a study that says ``words`` sees its data, its network, what that finds in each case, and the cases."""
    folder = sources[0].parents[1]
    spec = DatasetSpec(name="folder", path=str(folder), classes={"background": 0, "blob": 1}, **words)
    prepared = prepare(spec, folder, folder.parent / "cache")
    dims = spec.dims or prepared.dims
    torch.manual_seed(3)
    model = build("unet++ds", "plain:2", 2, dims=dims)
    found = judge(model, feed(prepared, [0, 1], spec, "cpu"), prepared.cases, prepared.classes, PLAN, "test")
    about = Use(**{key: getattr(spec, key) for key in ("size", "patch", "window", "percentiles", "spacing")})
    return about, model, [one.mask for one in found], prepared


VIEWS = {
    "resized": {"dims": 2, "size": 16},
    "slices in windows": {"dims": 2, "patch": 16},
    "slices within one window": {"dims": 2, "patch": 32},
    "volumes in windows": {"dims": 3, "patch": 16},
    "volumes within one window": {"dims": 3, "patch": 32},
    "a window of values": {"dims": 3, "patch": 16, "window": (-100, 200)},
    "other percentiles": {"dims": 2, "size": 16, "percentiles": (5, 90)},
}
SPACED = {
    "one spacing": {"dims": 3, "patch": 16, "spacing": 2.5},
    "a spacing for each axis": {"dims": 2, "patch": 16, "spacing": (4, 1, 1.5), "window": (-100, 200)},
    "a spacing and a size": {"dims": 2, "size": 24, "spacing": 2},
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_volume_is_predicted_as_it_is_judged(view, volumes, tmp_path):
    about, model, expected, prepared = judged(volumes, VIEWS[view])
    done = list(predict_files(make_engine(model, PLAN), plan_tasks(volumes, tmp_path / "out"), about))
    assert all(0 < mask.mean() < 1 for mask in expected)
    for position, (one, mask) in enumerate(zip(done, expected, strict=True)):
        assert one.reason == ""
        if about.size is None:
            np.testing.assert_array_equal(canonical(read_volume(one.task.mask)).values, mask)
        check_what_is_seen(one.task.source, about, model, mask, prepared.image(position))


@pytest.mark.parametrize("view", SPACED)
def test_a_volume_is_resampled_as_it_was_for_training_and_its_mask_back(view, volumes, tmp_path):
    about, model, expected, prepared = judged(volumes, SPACED[view])
    done = list(predict_files(make_engine(model, PLAN), plan_tasks(volumes, tmp_path / "out"), about))
    for position, (one, mask) in enumerate(zip(done, expected, strict=True)):
        assert one.reason == ""
        check_what_is_seen(one.task.source, about, model, mask, prepared.image(position))
        written = canonical(read_volume(one.task.mask)).values
        # Borders move where probabilities are resampled, and an untrained network sees them everywhere.
        assert (resized_mask(written, mask.shape) == mask).mean() > 0.75


@pytest.mark.parametrize(
    "words",
    [
        {"size": 16},
        {"patch": 16},
        {"patch": 32, "percentiles": (10, 90)},
        {"patch": 16, "window": (50, 200)},
        {"patch": 16, "window": (1500, 6000)},
    ],
)
def test_a_picture_is_predicted_as_it_is_judged(words, photographs, tmp_path):
    about, model, expected, prepared = judged(photographs, words)
    done = list(predict_files(make_engine(model, PLAN), plan_tasks(photographs, tmp_path / "out"), about))
    assert all(0 < mask.mean() < 1 for mask in expected)
    for position, (one, mask) in enumerate(zip(done, expected, strict=True)):
        if about.size is None:
            np.testing.assert_array_equal(np.asarray(Image.open(one.task.mask)), mask[0])
        check_what_is_seen(one.task.source, about, model, mask[0], prepared.image(position)[0])


def check_what_is_seen(source, about, model, mask, prepared):
    """Brought to the size of training an image is the prepared one, and its mask there is the judged one."""
    taken = take(source, 1, about)
    seen = resized_image(taken.pixels, space_of(taken, source, about, model.spec.dims))
    np.testing.assert_array_equal(seen, prepared)
    found = predict_mask(model, seen, windowed=about.window is not None, patch=about.patch)
    np.testing.assert_array_equal(found, mask)


def test_an_image_without_a_spacing_is_refused_where_training_had_one(model, tasks):
    done = list(predict_files(make_engine(model, PLAN), tasks[:1], Use(spacing=2)))
    assert done[0].reason.startswith(f"'{tasks[0].source}' does not say its spacing, so it cannot be resampled")
