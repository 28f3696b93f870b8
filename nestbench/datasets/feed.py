"""Feeding: one side of a split as batches of what a network sees, from the device's memory or from the disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nestbench.datasets.ahead import ahead
from nestbench.datasets.augment import move, shade
from nestbench.datasets.prepared import Prepared, Truth
from nestbench.datasets.resize import Space
from nestbench.datasets.source import Read, held, taken_in
from nestbench.machine import memory_of
from nestbench.study.data import DatasetSpec
from nestbench.windows import starts

Corner = tuple[int, int, int, int]
"""Case by its position on this side, and where a window begins along D, H and W."""

RESIDENT = 2**30
"""Bytes of images and masks that are held in memory; a side that is larger is read from the disk as it is used."""
GPU_SHARE = 16
"""Of a GPU's memory one part in so many may be held by a side, where that is more: several runs may share it."""


Batch = tuple[Tensor, Tensor]
"""Images and masks."""


@dataclass(frozen=True, eq=False)
class Feed:
    """Images and masks of one side of a split, and the windows in which a network sees them."""

    images: Read
    masks: Read
    spaces: Sequence[Space]
    """(D, H, W) of each case."""
    moments: Tensor
    """Mean and deviation of each case, (cases, 2), on the device."""
    window: Space
    """(d, h, w) of what a network sees; d is 1 for a 2D network."""
    dims: int
    step: int
    """Pixels from one training window to the next, along the axes where the window is not whole."""
    samples: int | None = None
    """Windows of an epoch, drawn anew for each; None: all, once."""
    streamed: bool = False
    whole: Batch | None = None
    """All images (cases, C, *window) and masks (cases, *window), where every case is held, and is one window."""

    def __len__(self) -> int:
        """Windows that an epoch of training shows."""
        return self.samples or len(self.places)

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """All training windows, (n, 4), in the order of their cases."""
        return self.grid(self.step)

    @cached_property
    def with_objects(self) -> NDArray[np.bool_]:
        """Whether there is more than background in each training window."""
        return np.array([bool(self._cut(self.masks, place).any()) for place in self.places])

    def grid(self, step: int) -> NDArray[np.int64]:
        """Windows that cover every case, at most ``step`` pixels apart: (n, 4)."""
        found = [_places(case, space, self.window, step) for case, space in enumerate(self.spaces)]
        return np.concatenate(found)

    def take(self, places: Sequence[Corner] | NDArray[np.int64]) -> Batch:
        """Standardised images (N, C, *window) and masks (N, *window), as they are stored, on the device."""
        (batch,) = self.taken([np.asarray(places)], [None])
        return batch

    def taken(self, parts: Sequence[NDArray[np.int64]], draws: Sequence[Tensor | None]) -> Iterator[Batch]:
        """``take`` of one part after the other, augmented where it has a draw (``augment.draws``).

        Of a side that is streamed, a few are read ahead. Nothing here waits for a GPU but the first batch: which cases
        the parts show is told to it at once.
        """
        cases = torch.as_tensor(np.concatenate([np.zeros((0, 4), np.int64), *parts])[:, 0], device=self.moments.device)
        shown = torch.split(cases, [len(part) for part in parts])
        cuts = map(self._cuts, parts, shown)
        for own, draw, cut in zip(shown, draws, ahead(cuts) if self.streamed else cuts, strict=True):
            yield self._dressed(own, cut, draw)

    def _cuts(self, places: NDArray[np.int64], cases: Tensor) -> Batch:
        """Images (N, C, d, h, w) and masks (N, d, h, w) as they are stored, where they are read from."""
        if self.whole is not None:
            return self.whole[0].index_select(0, cases), self.whole[1].index_select(0, cases)
        stack = self._stacked if self.streamed else torch.stack
        images, masks = (stack([self._cut(read, place) for place in places]) for read in (self.images, self.masks))
        return images, masks

    def _stacked(self, parts: Sequence[Tensor]) -> Tensor:
        """Parts as one, by the thread that asks alone: torch would wake threads that get in the way of training."""
        stacked = torch.from_numpy(np.stack([part.numpy() for part in parts]))
        return stacked.pin_memory() if self.moments.is_cuda else stacked

    def _dressed(self, cases: Tensor, cut: Batch, draw: Tensor | None) -> Batch:
        images, masks = (pixels.to(self.moments.device, non_blocking=True) for pixels in cut)
        if self.dims == 2:
            images, masks = images[:, :, 0], masks[:, 0]
        moments = self.moments.index_select(0, cases)
        if draw is None:
            return standardise(images, moments), masks
        # Moved as they are stored, pixels are a quarter of the bytes, and the same in the end.
        return shade(standardise(move(images, draw), moments), draw), move(masks[:, None], draw)[:, 0]

    def own(self, places: NDArray[np.int64]) -> Tensor:
        """Which pixels of windows that lie side by side (``grid`` of whole windows) are the first to show theirs.

        Bool (N, *window) on the device: False beyond the edges of a case, and where an earlier window overlaps.
        """
        found = torch.stack([_own(self.spaces[place[0]], place[1:].tolist(), self.window) for place in places])
        return (found if self.dims == 3 else found[:, 0]).to(self.moments.device)

    def _cut(self, read: Read, place: Corner | NDArray[np.int64]) -> Tensor:
        case, *begins = (int(number) for number in place)
        return read(case, tuple(slice(b, b + n) for b, n in zip(begins, self.window, strict=True)))


def feed(
    prepared: Prepared,
    side: Sequence[int],
    spec: DatasetSpec,
    device: str,
    resident: int | None = None,
    truth: Truth = "masks",
) -> Feed:
    """One side of a split: on the device where it takes ``resident`` bytes at most, else read as it is used.

    None is RESIDENT, on a GPU with much memory more.
    Its masks are the classes of the pixels, or with the truth of ``instances`` the numbers of their objects (int32).
    """
    positions, spaces = list(side), [prepared.spaces[i] for i in side]
    dims = spec.dims or prepared.dims
    window = _window(spaces[0], spec, dims)
    unit = prepared.channels + (4 if truth == "instances" else 1)
    if resident is None:
        resident = max(RESIDENT, memory_of(device) // GPU_SHARE if device == "cuda" else 0)
    streamed = sum(int(np.prod(space)) for space in spaces) * unit > resident
    images, masks = prepared.source("images", positions), prepared.source(truth, positions)
    whole = None
    if not streamed:
        images, masks = (taken_in(read, spaces, window, device) for read in (images, masks))
        if set(spaces) == {window}:
            whole = _whole(images, spaces), _whole(masks, spaces)
            images, masks = (held(cases.unbind()) for cases in whole)
    return Feed(
        images=images,
        masks=masks,
        spaces=spaces,
        moments=torch.tensor([prepared.moments[i] for i in positions], device=device),
        window=window,
        dims=dims,
        step=spec.step,
        samples=spec.samples,
        streamed=streamed,
        whole=whole,
    )


def _whole(read: Read, spaces: Sequence[Space]) -> Tensor:
    return torch.stack([read(case, tuple(slice(0, side) for side in space)) for case, space in enumerate(spaces)])


def standardise(images: Tensor, moments: Tensor) -> Tensor:
    """Bring images (N, C, *any) to mean 0 and deviation 1 by the mean and deviation of each, (N, 2); float32."""
    mean, deviation = (column.view(-1, *(1,) * (images.dim() - 1)) for column in moments.unbind(dim=1))
    return images.to(torch.float32, copy=True).sub_(mean).div_(deviation)


def _window(space: Space, spec: DatasetSpec, dims: int) -> Space:
    """What a network sees at once: a patch, or a whole plane, which all have one size then."""
    if spec.patch is None:
        return (1, *space[1:])
    return (spec.patch if dims == 3 else 1, spec.patch, spec.patch)


def _places(case: int, space: Space, window: Space, step: int) -> NDArray[np.int64]:
    axes = (starts(side, length, min(step, length)) for side, length in zip(space, window, strict=True))
    begins = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.column_stack([np.full(len(begins), case), begins]).astype(np.int64)


def _own(space: Space, begins: Sequence[int], window: Space) -> Tensor:
    """Bool (d, h, w): the pixels of a window that no earlier one of its case shows, and that are the case's."""
    axes = []
    for side, begin, length in zip(space, begins, window, strict=True):
        earlier = [other + length for other in starts(side, length, length) if other < begin]
        pixels = torch.arange(begin, begin + length)
        axes.append((pixels >= max(earlier, default=0)) & (pixels < side))
    deep, high, wide = axes
    return deep[:, None, None] & high[:, None] & wide
