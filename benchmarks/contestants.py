"""Who competes: segmentation-models-pytorch's UNet++ as its documentation shows it, and ours at the same work."""

from argparse import Namespace
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

import segmentation_models_pytorch as smp
import torch
from arena import Maker, repeated
from torch import Tensor
from torch.nn import functional

from nestbench.datasets.batches import training_batches
from nestbench.datasets.feed import feed
from nestbench.datasets.open import cache_root, data_root
from nestbench.datasets.preparing import prepare
from nestbench.errors import RequestError
from nestbench.machine import Plan, Precision, device_name
from nestbench.model import ModelSpec, Network, Spec, construct
from nestbench.model.build import specify
from nestbench.model.size import network_size
from nestbench.speed.peak import SHAPES, convolutions, peak
from nestbench.speed.rounds import Pass, Seconds
from nestbench.study.data import DatasetSpec
from nestbench.study.sentences import checked

ENCODER, DEPTH = "timm:resnet18", 4
EQUAL_WORK = (16, 32, 96, 160)
"""Decoder channels by level at which UNet++ has the work of smp's: whole multiples of 16, as vector units like them."""
TOLERANCE = 0.05
"""Largest difference of two amounts of work that are called equal."""
LARGEST = 96
"""Pixels a side that images are cut to from files; larger ones are enlarged from those."""

REPEATS = 20
"""Of one convolution in a pass: it takes some milliseconds, and so does waking threads up."""

SHORT = 96**2
"""Pixels of a batch that takes milliseconds, as waking threads up does: many passes count as one."""


class Batch(NamedTuple):
    """Standardised images (N, 3, H, W) and their masks (N, H, W)."""

    images: Tensor
    masks: Tensor


def real_batch(size: int, batch: int, data: Path | None, device: str) -> Batch:
    """A batch of nuclei, or of synthetic images, on the device, enlarged where they are smaller than asked for.

    Raises RequestError for more images than there are, and for a size that no data set has.
    """
    spec = pictures("nuclei" if data else "synthetic", min(size, LARGEST))
    prepared = prepare(spec, data_root(data), cache_root())
    if batch > len(prepared.cases):
        raise RequestError(f"a batch of {batch} is more than the {len(prepared.cases)} images that there are")
    images, masks = next(training_batches(feed(prepared, range(batch), spec, device), batch, 0, 0, augmented=True))
    images = images.expand(-1, 3, -1, -1).contiguous()
    if size > images.shape[-1]:
        images = functional.interpolate(images, size=(size, size), mode="bilinear")
        masks = functional.interpolate(masks[:, None].float(), size=(size, size))[:, 0].long()
    return Batch(images, masks)


def pictures(name: str, size: int) -> DatasetSpec:
    """A data set, resized to so many pixels a side.

    Raises RequestError for a size that no data set has.
    """
    return checked(f"size {size}", DatasetSpec, {"name": name, "size": size})


def setting(asked: Namespace) -> str:
    """What a table was taken on: the machine, and what was asked for."""
    words = [f"{device_name(asked.device)}, {asked.threads} threads, torch {torch.__version__}, {asked.rounds} rounds"]
    words += [f"depth {DEPTH}, {'nuclei' if asked.data else 'synthetic images'}"]
    return ", ".join(words)


def plan_of(asked: Namespace, precision: Precision) -> Plan:
    """The device and threads that were asked for; bfloat16 goes with channels last, which suits it."""
    return Plan(asked.device, precision, "channels-last" if precision == "bfloat16" else "contiguous", asked.threads)


def smp_plain() -> torch.nn.Module:
    """The UNet++ of smp with so many levels, and the decoder channels that it gives them."""
    channels = (256, 128, 64, 32, 16)[-DEPTH:]
    model: torch.nn.Module = smp.UnetPlusPlus(
        ENCODER.partition(":")[2], encoder_depth=DEPTH, encoder_weights=None, decoder_channels=channels, classes=1
    )
    return model


def smp_spec() -> Spec:
    """The same network as a study has it."""
    return specify("smp:UnetPlusPlus", f"smp:{ENCODER.partition(':')[2]}", DEPTH, in_channels=3)


def ours(equal: bool) -> ModelSpec:
    """UNet++ by default, or at the work of smp's.

    Raises RequestError where an smp of another version has other work.
    """
    spec = cast(ModelSpec, specify("unet++", ENCODER, DEPTH, in_channels=3))
    if not equal:
        return spec
    widened = replace(spec, width=EQUAL_WORK)
    share = work_of(widened) / work_of(smp_spec())
    if abs(share - 1) > TOLERANCE:
        raise RequestError(f"the widths {EQUAL_WORK} have {share:.2f} of the work of this smp's network, not the same")
    return widened


def built(spec: ModelSpec) -> Network:
    """A network of the family, whose start is the same in every process."""
    torch.manual_seed(0)
    return cast(Network, construct(spec))


def work_of(spec: Spec, size: int = 96) -> int:
    """Operations of one image's forward pass, two a multiply-add."""
    return network_size(spec, size).flops


def many(maker: Maker) -> Pass:
    """Passes of milliseconds as one."""
    return repeated(maker(), REPEATS)


def convolution_makers(plan: Plan) -> dict[str, Maker]:
    """The convolutions by which the machine's peak in a plan's precision is measured, as contestants."""
    return {f"convolution {index}": partial(_convolution, plan, index) for index in range(len(SHAPES))}


def peak_of(taken: Seconds, plan: Plan) -> float:
    """Operations a second of the fastest, from the seconds (rounds, convolutions) of ``convolution_makers``."""
    return peak(taken, [REPEATS * c.flops for c in convolutions(plan)])


def _convolution(plan: Plan, index: int) -> Pass:
    plan.enter()
    return repeated(convolutions(plan)[index].work, REPEATS)
