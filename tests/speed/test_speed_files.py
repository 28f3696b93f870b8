from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nestbench.engine import as_it_is
from nestbench.errors import RunError
from nestbench.model import build
from nestbench.model.build import specify
from nestbench.predict.images import take
from nestbench.predict.tasks import Task, misfit
from nestbench.speed.files import draw_file, file_pass


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_is_drawn_fits_the_network_and_its_size(dims, channels, tmp_path: Path):
    spec = specify("unet:1", "plain:1", in_channels=channels, dims=dims)
    path = draw_file(spec, 13, tmp_path)
    assert misfit(Task(path, path), spec) == ""
    pixels = take(path, channels).pixels
    assert pixels.shape[-1] == channels
    assert pixels.squeeze().shape[:dims] == (13,) * dims
    assert len(np.unique(pixels)) > 20


def test_the_same_is_drawn_again(tmp_path: Path):
    first, second = (tmp_path / name for name in "ab")
    spec = specify("unet:1", "plain:1")
    for folder in (first, second):
        folder.mkdir()
        draw_file(spec, 16, folder)
    assert (first / "image.png").read_bytes() == (second / "image.png").read_bytes()


@pytest.mark.parametrize("dims", [2, 3])
def test_a_pass_writes_the_mask_of_the_file(dims, tmp_path: Path):
    torch.manual_seed(0)
    engine = as_it_is(build("unet:1", "plain:1", dims=dims))
    source = draw_file(engine.spec, 12, tmp_path)
    file_pass(engine, source, tmp_path / "out")()
    assert take(tmp_path / "out" / source.name, 1).pixels.squeeze().shape == (12,) * dims


def test_a_pass_without_a_mask_is_an_error(tmp_path: Path):
    engine = as_it_is(build("unet:1", "plain:1"))
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "image.png")
    work = file_pass(engine, tmp_path / "image.png", tmp_path / "out")
    (tmp_path / "image.png").write_bytes(b"rubbish")
    with pytest.raises(RunError, match=r"image\.png"):
        work()
