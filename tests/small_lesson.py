"""A lesson of a second: bright squares on noise, and a network small enough to learn them."""

import torch
from drawn_feed import feed_of

from nestbench.losses import bce_dice
from nestbench.machine import Plan
from nestbench.model import build
from nestbench.study.schema import Recipe
from nestbench.train import fit, masks_lesson

PLAN = Plan("cpu", "float32", "contiguous", 1)


def squares(n=12, size=16, seed=0):
    """Bright squares on noise: what a network must learn to outline."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 60, (n, 1, size, size), dtype=torch.uint8, generator=generator)
    masks = torch.zeros(n, size, size, dtype=torch.uint8)
    for i in range(n):
        masks[i, i % 8 : i % 8 + 6, 3:11] = 1
    return feed_of(images + 120 * masks[:, None], masks)


def network(name="unet++ds", block="modern"):
    torch.manual_seed(0)
    return build(name, "plain:4", depth=2, block=block)


def lesson(loss=bce_dice, seed=0, parts=1, **recipe):
    settings = Recipe.model_validate({"epochs": 4, "batch": 4, "learning_rate": 0.01} | recipe)
    return masks_lesson(squares(), squares(seed=1), settings, loss, seed, PLAN, parts)


def fitting(model, loss=bce_dice, seed=0, keeper=None, **recipe):
    return fit(model, lesson(loss, seed, **recipe), keeper)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])
