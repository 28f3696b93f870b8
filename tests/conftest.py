from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from PIL import Image

from nestbench.machine.calibrate import calibrate
from nestbench.machine.device import cores
from nestbench.machine.measure import EAGER

Save = Callable[[Path, NDArray[np.uint8]], Path]

# How long a test takes says nothing about the code.
settings.register_profile("nestbench", deadline=None, max_examples=50)
settings.load_profile("nestbench")


@pytest.fixture(scope="session", autouse=True)
def no_calibration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Measure nothing and leave the cache of whoever runs the tests alone: every way is said to be as fast as another.

    So the plan is plain float32 on every machine. The record lies in the session's cache for processes of their own.
    """
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NESTBENCH_CACHE", str(cache))
        patch.setattr("nestbench.machine.calibrate.time_ways", lambda device, threads: {way: [1.0] for way in EAGER})
        calibrate("cpu", cores(), cache)
        yield


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Make the hub answer with a status, or fail to with an error."""

    def say(answer: object) -> None:
        def head(*_: object, **__: object) -> SimpleNamespace:
            if isinstance(answer, Exception):
                raise answer
            return SimpleNamespace(status_code=answer)

        monkeypatch.setattr("nestbench.hub.get_session", lambda: SimpleNamespace(head=head))

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    return say


@pytest.fixture
def save() -> Save:
    def write(path: Path, values: NDArray[np.uint8]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)
        return path

    return write
