import numpy as np
import pytest

from nestbench.report.gather import Overlay
from nestbench.report.overlays import overlays
from nestbench.report.style import styled


@pytest.mark.parametrize("channels", [1, 3])
def test_every_case_has_the_image_and_each_member_with_its_score(channels: int) -> None:
    mask = np.zeros((3, 16, 16), np.uint8)
    mask[:, 4:9, 4:9], mask[:, 11:14, 2:6] = 1, 2
    shown = Overlay(("a", "b", "c"), (0, 0, 0), (np.full((16, 16, channels), 90, np.uint8),) * 3, tuple(mask))
    iou = {(name, case): 0.5 for name in ("U-Net", "UNet++") for case in "abc"}
    with styled():
        figure = overlays(shown, {"U-Net": list(mask), "UNet++": list(np.zeros_like(mask))}, iou)
    axes = np.array(figure.axes).reshape(3, 3)
    assert [one.get_title() for one in axes[0]] == ["image", "U-Net", "UNet++"]
    assert [one.get_ylabel() for one in axes[:, 0]] == ["best", "median", "worst"]
    assert {one.get_xlabel() for one in axes[:, 1:].ravel()} == {"50.0"}
    # Two classes of truth and two of prediction; a prediction of nothing leaves the truth alone.
    assert [len(one.collections) for one in axes[0]] == [0, 4, 2]
