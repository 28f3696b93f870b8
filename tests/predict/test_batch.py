import numpy as np
import pytest
import torch
from PIL import Image

from nestbench.engine import make_engine
from nestbench.machine import Plan
from nestbench.model import build
from nestbench.predict import predict_mask
from nestbench.predict.batch import predict_files
from nestbench.predict.images import read
from nestbench.predict.tasks import plan_tasks

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
        np.testing.assert_array_equal(mask, predict_mask(model, read(one.task.source, 1)))
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
    done = next(iter(predict_files(make_engine(model, PLAN), tasks, size=16)))
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
