"""From a file to a mask in a file, as ``nestbench predict`` goes: reading, standardising, the network, writing."""

from pathlib import Path

import nibabel
import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from nestbench.engine import Engine
from nestbench.errors import RunError
from nestbench.formats.pictures import Pixels
from nestbench.model import Spec
from nestbench.predict.batch import predict_files
from nestbench.predict.tasks import plan_tasks
from nestbench.speed.rounds import Pass

_PICTURES = (1, 3)
"""Channels that a PNG holds."""
_GRAIN = 8
"""Pixels a side of what is drawn are this many times those of the noise behind it."""


def file_pass(engine: Engine, source: Path, out: Path) -> Pass:
    """Predict one file, without resizing, and write its mask into ``out``.

    A pass raises RunError where there is no mask.
    """
    tasks = plan_tasks([source], out)

    def work() -> None:
        for done in predict_files(engine, tasks):
            if done.reason:
                raise RunError(done.reason)

    return work


def draw_file(spec: Spec, size: int, folder: Path) -> Path:
    """Write smooth noise of ``size`` pixels a side that a network takes: PNG, or NIfTI where a PNG does not hold it."""
    pixels = _drawn((size,) * spec.dims, spec.in_channels)
    if spec.dims == 2 and spec.in_channels in _PICTURES:
        path = folder / "image.png"
        Image.fromarray(pixels[..., 0] if spec.in_channels == 1 else pixels).save(path)
        return path
    path = folder / "image.nii"
    volume = pixels if spec.dims == 3 else pixels[:, :, None]
    values = volume if spec.in_channels > 1 else volume[..., 0]
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), path)
    return path


def _drawn(space: tuple[int, ...], channels: int) -> Pixels:
    """Pixels (*space, C)."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, channels, *(-(-side // _GRAIN) for side in space), generator=generator)
    fine = functional.interpolate(coarse, size=space, mode="bilinear" if len(space) == 2 else "trilinear")
    pixels: Pixels = (255 * fine[0].movedim(0, -1)).to(torch.uint8).numpy()
    return pixels
