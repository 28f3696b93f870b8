"""Drawn objects for the tests of instance segmentation."""

import numpy as np

from nestbench.instances.detected import Detected, from_masks

KEYS = {"split": "test", "case": "a", "subject": "a", "output": "components"}


def keys(**changed: str) -> dict[str, str]:
    return KEYS | changed


def drawn_truth(rng: np.random.Generator, count: int, side: int = 40) -> np.ndarray:
    """A label map of at most so many discs, which may touch and be cut off, with numbers that leave gaps."""
    truth = np.zeros((side, side), np.int32)
    for number in range(count):
        truth[disc(rng, side)] = 3 * number + 2
    return truth


def drawn_answer(rng: np.random.Generator, truth: np.ndarray, false: int) -> Detected:
    """Most true objects, moved a little, and so many false ones: they overlap one another."""
    masks = [np.roll(truth == n, rng.integers(-1, 2, 2), (0, 1)) for n in np.unique(truth)[1:] if rng.random() < 0.8]
    masks += [disc(rng, len(truth)) for _ in range(false)]
    return from_masks(np.array(masks, bool).reshape(-1, *truth.shape), rng.permutation(len(masks)) / max(1, len(masks)))


def disc(rng: np.random.Generator, side: int) -> np.ndarray:
    (y, x), radius = rng.integers(0, side, 2), rng.integers(1, 7)
    rows, columns = np.mgrid[:side, :side]
    inside: np.ndarray = (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
    return inside
