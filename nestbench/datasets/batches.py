"""In which order a side of a split is shown: batches to train on, and batches that cover every case."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestbench.datasets.augment import draws
from nestbench.datasets.feed import Feed


def training_batches(
    data: Feed, batch: int, seed: int, epoch: int, augmented: bool, start: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of standardised, augmented images and masks (int64), in an order that is a function of (seed, epoch).

    Their sizes differ by one at most: a last batch of a single image would upset batch norm. The first is that of
    number ``start``.
    """
    order = _order(data, np.random.Generator(np.random.Philox(key=[seed, epoch], counter=1 << 64)))
    draw = draws(seed, epoch, len(order), data.dims).to(data.moments.device)
    parts = np.array_split(np.arange(len(order)), -(-len(order) // batch))[start:]
    places = [data.places[order[part]] for part in parts]
    for images, masks in data.taken(places, [draw[p[0] : p[-1] + 1] if augmented else None for p in parts]):
        yield images, masks.long()


def batches(data: Feed, batch: int) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Cases (N,), standardised images, masks (int64) and own pixels of windows side by side that cover every case.

    They come in the order of the cases. Of the pixels that are a window's own, each is one of a case, and each of a
    case is there once (``Feed.own``): windows overlap where a side is no multiple of theirs, and reach beyond a case
    that is smaller.
    """
    places = data.grid(max(data.window))
    parts = np.array_split(places, -(-len(places) // batch))
    for part, (images, masks) in zip(parts, data.taken(parts, [None] * len(parts)), strict=True):
        yield torch.as_tensor(part[:, 0]), images, masks.long(), data.own(part)


def _order(data: Feed, generator: np.random.Generator) -> NDArray[np.int64]:
    """Which training windows an epoch shows, in which order.

    Where they are drawn, at least half of them hold an object: in most windows of most volumes there is nothing to be
    learnt.
    """
    count = len(data.places)
    if data.samples is None:
        return generator.permutation(count)
    every, objects = np.arange(count), np.flatnonzero(data.with_objects)
    wanted = data.samples // 2 if len(objects) else 0
    chosen = [_drawn(generator, objects, wanted), _drawn(generator, every, data.samples - wanted)]
    return generator.permutation(np.concatenate(chosen))


def _drawn(generator: np.random.Generator, places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """So many of the places; each as often as any other, give or take one."""
    rounds = [generator.permutation(places) for _ in range(-(-count // max(len(places), 1)))]
    return np.concatenate(rounds)[:count] if rounds else places[:0]
