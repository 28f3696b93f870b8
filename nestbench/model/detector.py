"""Mask R-CNN: torchvision's region proposals, RoI align, heads and losses, on a pyramid of ours."""

from collections.abc import Iterator
from typing import Any, TypedDict, cast

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import MultiScaleRoIAlign

from nestbench.errors import RequestError
from nestbench.model.pyramid import Pyramid
from nestbench.model.spec import DetectorSpec, Spec

STEPS = (1.0, 2**0.5)
"""Anchors of a level, in units of twice its stride. With those of the next level an octave above, a square of 3.4 to
107 pixels (at depth 4) has an anchor that overlaps it by .67 at least where both have one centre: by 2^-.5, but that
torchvision rounds corners to whole pixels. Centres are a stride apart: at worst it is .45 for sides from 5 pixels on,
and .36 for one of 3.4."""
RATIOS = (0.5, 1.0, 2.0)

MOST = 1000
"""Regions that are proposed in an image, of each level and in all, and objects that are found: the Data Science Bowl's
fullest picture holds 375, and torchvision's own limit of 100 objects would leave most of them out."""
SAMPLED = 64
"""Regions of an image that the heads learn from at each step, a quarter of them objects: the heads of 512, which
torchvision takes of an image of 800 pixels, would be nearly all of a step's work on a small one."""
AT_ONCE = 32
"""Masks of an image's size that are made at a time: a thousand of them would take more memory than all else."""
LEAST = 0.05
"""Score of the least sure objects that are found, as in torchvision."""


class Targets(TypedDict):
    """The objects of one image."""

    boxes: Tensor
    """(n, 4), x and y of the upper left corner and of the lower right one, in pixels from the image's own corner."""
    labels: Tensor
    """(n,), all 1."""
    masks: Tensor
    """(n, H, W), uint8."""


class Found(TypedDict):
    """What was found in one image, the surest first."""

    boxes: Tensor
    labels: Tensor
    scores: Tensor
    """(n,), 0 to 1."""
    masks: Tensor
    """(n, 1, H, W), probability of each pixel to be the object's."""


class Detector(nn.Module):
    """Mask R-CNN; its heads are as wide as its pyramid, so with 256 channels they are torchvision's in every size."""

    def __init__(self, spec: DetectorSpec, pretrained: bool | str = False) -> None:
        super().__init__()
        self.spec = spec
        pyramid = Pyramid(spec, pretrained)
        self.rcnn = MaskRCNN(pyramid, **settings(pyramid))
        self.rcnn.transform = _unscaled(spec.in_channels)

    @property
    def pyramid(self) -> Pyramid:
        """The encoder and the pyramid on it."""
        return cast(Pyramid, self.rcnn.backbone)

    def losses(self, images: Tensor, targets: list[Targets]) -> dict[str, Tensor]:
        """The five losses of a batch (N, C, H, W): two of the regions that are proposed, and of classes, boxes, masks.

        Which regions the heads see is drawn from torch's global generator.
        """
        self._ask_for(losses=True)
        self.rcnn.rpn.score_thresh = 0.0
        return cast(dict[str, Tensor], self.rcnn(list(images), targets))

    def forward(self, images: Tensor, least: float = LEAST, proposed: float = 0.0) -> list[Found]:
        """The objects in each image (N, C, H, W) with a score above ``least``.

        Regions that are proposed with a score up to ``proposed`` are not looked at, which is faster.
        """
        height, width = images.shape[-2:]
        boxed = self.boxed(images, least, proposed)
        return [{**one, "masks": torch.cat(list(pasted(one, height, width)))} for one in boxed]

    def boxed(self, images: Tensor, least: float = LEAST, proposed: float = 0.0) -> list[Found]:
        """As ``forward``, but the masks (n, 1, 28, 28) are of the boxes: ``pasted`` brings them into the image."""
        self._ask_for(losses=False)
        self.rcnn.roi_heads.score_thresh, self.rcnn.rpn.score_thresh = least, proposed
        return cast(list[Found], self.rcnn(list(images)))

    def _ask_for(self, *, losses: bool) -> None:
        """Ask torchvision for losses or for objects, by the mode of these modules; no layer depends on it."""
        for part in (self.rcnn, self.rcnn.transform, self.rcnn.rpn, self.rcnn.roi_heads):
            part.training = losses

    def dense(self, images: Tensor) -> Tensor:
        """What is computed of images (N, C, H, W) wherever objects are: the logit of each cell and anchor, (N, n)."""
        logits, _ = self.rcnn.rpn.head(list(self.pyramid(images).values()))
        return torch.cat([level.flatten(1) for level in logits], dim=1)


def pasted(boxed: Found, height: int, width: int) -> Iterator[Tensor]:
    """Masks (n, 1, H, W) of what ``Detector.boxed`` found in an image, some at a time; at least once, if of none."""
    for first in range(0, max(1, len(boxed["boxes"])), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        yield paste_masks_in_image(boxed["masks"][some], boxed["boxes"][some], (height, width))


def settings(pyramid: Pyramid) -> dict[str, Any]:
    """All that is told to torchvision beside its own defaults."""
    width, names = pyramid.out_channels, [str(level) for level in pyramid.levels]
    strides = [2 ** (level + 1) for level in (*pyramid.levels, pyramid.grid.depth + 1)]
    anchors = AnchorGenerator(tuple(tuple(s * f for f in STEPS) for s in strides), (RATIOS,) * len(strides))
    boxes, masks = (MultiScaleRoIAlign(names, side, sampling_ratio=2) for side in (7, 14))
    return {
        "rpn_anchor_generator": anchors,
        **{f"rpn_{when}_nms_top_n_{mode}": MOST for when in ("pre", "post") for mode in ("train", "test")},
        "box_roi_pool": boxes,
        "box_head": TwoMLPHead(width * 7**2, 4 * width),
        "box_predictor": FastRCNNPredictor(4 * width, 2),
        "box_score_thresh": LEAST,
        "box_detections_per_img": MOST,
        "box_batch_size_per_image": SAMPLED,
        "mask_roi_pool": masks,
        "mask_head": MaskRCNNHeads(width, (width,) * 4, 1),
        "mask_predictor": MaskRCNNPredictor(width, width, 2),
    }


def refuse_detector(spec: Spec) -> None:
    """Raise RequestError for a network that finds objects, where classes of pixels are asked for."""
    if isinstance(spec, DetectorSpec):
        raise RequestError(
            "Mask R-CNN finds objects one by one, in a study with task: instance; it gives no class of each pixel, "
            "which is what is asked for here"
        )


def _unscaled(channels: int) -> Any:
    """Images as they come, standardised and of the study's size; torchvision would bring them to 800 pixels.

    Masks stay those of their boxes; torchvision would bring all of them to the image's size at once.
    """
    transform = GeneralizedRCNNTransform(0, 0, [0.0] * channels, [1.0] * channels)
    transform.resize = _as_they_are
    transform.postprocess = _as_it_was_found
    return transform


def _as_they_are(image: Tensor, target: Any = None) -> tuple[Tensor, Any]:
    return image, target


def _as_it_was_found(found: list[dict[str, Tensor]], *_: Any) -> list[dict[str, Tensor]]:
    return found
