"""Who competes: segmentation-models-pytorch's UNet++ as its documentation shows it, and ours at the same work."""

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import segmentation_models_pytorch as smp
import torch
from arena import Maker, repeated
from torch import Tensor
from torch.nn import functional

from nestbench.datasets.feed import feed, training_batches
from nestbench.datasets.open import cache_root, data_root
from nestbench.datasets.prepared import prepare
from nestbench.machine import Plan
from nestbench.model import Spec
from nestbench.model.build import specify
from nestbench.model.size import network_size
from nestbench.speed.peak import SHAPES, convolutions, peak
from nestbench.speed.rounds import Pass, Seconds
from nestbench.study.data import DatasetSpec

ENCODER = "timm:resnet18"
EQUAL_WORK = (16, 32, 96, 160)
"""Decoder channels by level at which UNet++ has the work of smp's: whole multiples of 16, as vector units like them."""
TOLERANCE = 0.05
"""Largest difference of two amounts of work that are called equal."""


REPEATS = 20
"""Of one convolution in a pass: it takes some milliseconds, and so does waking threads up."""


class Batch(NamedTuple):
    """Standardised images (N, 3, H, W) and their masks (N, H, W)."""

    images: Tensor
    masks: Tensor


def options(description: str, **defaults: int) -> argparse.ArgumentParser:
    """What every benchmark may be asked."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="where nuclei lies; without it, synthetic images are used")
    for name, value in ({"size": 96, "batch": 16, "depth": 4, "rounds": 20, "threads": 0} | defaults).items():
        parser.add_argument(f"--{name}", type=int, default=value)
    return parser


def real_batch(size: int, batch: int, data: Path | None) -> Batch:
    """A batch of nuclei, or of synthetic images, enlarged where they are smaller than asked for."""
    spec = DatasetSpec(name="nuclei" if data else "synthetic", size=min(size, 96))
    prepared = prepare(spec, data_root(data), cache_root())
    images, masks = next(training_batches(feed(prepared, range(batch), spec, "cpu"), batch, 0, 0, augmented=True))
    images = images.expand(-1, 3, -1, -1).contiguous()
    if size > images.shape[-1]:
        images = functional.interpolate(images, size=(size, size), mode="bilinear")
        masks = functional.interpolate(masks[:, None].float(), size=(size, size))[:, 0].long()
    return Batch(images, masks)


def smp_plain(depth: int) -> torch.nn.Module:
    """The UNet++ of smp with so many levels, and the decoder channels that it gives them."""
    channels = (256, 128, 64, 32, 16)[-depth:]
    return smp.UnetPlusPlus(
        ENCODER.partition(":")[2], encoder_depth=depth, encoder_weights=None, decoder_channels=channels, classes=1
    )


def smp_spec(depth: int) -> Spec:
    """The same network as a study has it."""
    return specify("smp:UnetPlusPlus", f"smp:{ENCODER.partition(':')[2]}", depth, in_channels=3)


def ours(depth: int, equal: bool) -> Spec:
    """UNet++ by default, or at the work of smp's."""
    spec = specify("unet++", ENCODER, depth, in_channels=3)
    if not equal:
        return spec
    widened = replace(spec, width=EQUAL_WORK)
    share = work_of(widened) / work_of(smp_spec(depth))
    if abs(share - 1) > TOLERANCE:
        raise SystemExit(f"at depth {depth} the widths {EQUAL_WORK} have {share:.2f} of smp's work, not the same")
    return widened


def work_of(spec: Spec, size: int = 96) -> int:
    """Operations of one image's forward pass, two a multiply-add."""
    return network_size(spec, size).flops


def convolution_makers(threads: int) -> dict[str, Maker]:
    """The convolutions by which the machine's peak in bfloat16 is measured, as contestants."""
    return {f"convolution {index}": partial(_convolution, threads, index) for index in range(len(SHAPES))}


def peak_of(taken: Seconds) -> float:
    """Operations a second of the fastest, from the seconds (rounds, convolutions) of ``convolution_makers``."""
    return peak(taken, [REPEATS * c.flops for c in convolutions(_plan(1))])


def _convolution(threads: int, index: int) -> Pass:
    plan = _plan(threads)
    plan.enter()
    return repeated(convolutions(plan)[index].work, REPEATS)


def _plan(threads: int) -> Plan:
    return Plan("cpu", "bfloat16", "channels-last", threads)
