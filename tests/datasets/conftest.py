from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

Save = Callable[[Path, NDArray[np.uint8]], Path]


@pytest.fixture
def own(tmp_path: Path, save: Save) -> Path:
    """A folder of six grey images with their masks, two of a patient."""
    rng = np.random.default_rng(0)
    for number in range(6):
        name = f"p{number // 2}_{number}.png"
        save(tmp_path / "own" / "images" / name, rng.integers(0, 256, (20, 24), np.uint8))
        save(tmp_path / "own" / "masks" / name, np.where(rng.random((20, 24)) > 0.5, 255, 0).astype(np.uint8))
    return tmp_path / "own"


@pytest.fixture
def bowl(tmp_path: Path, save: Save) -> Path:
    """A data root with stage1_train of four images, each of two nuclei."""
    for name in ("aa", "bb", "cc", "dd"):
        folder = tmp_path / "stage1_train" / name
        save(folder / "images" / f"{name}.png", np.full((20, 24, 4), 255, np.uint8))
        for place in (2, 12):
            mask = np.zeros((20, 24), np.uint8)
            mask[place : place + 4, 3:9] = 255
            save(folder / "masks" / f"{place:02d}.png", mask)
    return tmp_path
