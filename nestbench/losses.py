"""Losses of one head: logits (N, K, H, W) against class indices (N, H, W), a scalar; volumes have a D before H.

K = 1 means two classes by one logit (sigmoid); K > 1 means one logit a class (softmax).
"""

from torch import Tensor
from torch.nn import functional

SMOOTH = 1.0
"""Added above and below, in pixels, so that a batch with an empty mask has a loss."""


def bce_dice(logits: Tensor, target: Tensor) -> Tensor:
    """Half the cross-entropy plus one minus the soft Dice: the weights of arXiv 1807.10165, equation 3."""
    return 0.5 * _cross_entropy(logits, target) + dice(logits, target)


def dice(logits: Tensor, target: Tensor) -> Tensor:
    """One minus soft Dice over the pixels of the whole batch, averaged over the classes but the background."""
    predicted, true = _foreground(logits, target)
    pixels = (0, *range(2, predicted.dim()))
    both = (predicted * true).sum(dim=pixels)
    total = (predicted + true).sum(dim=pixels)
    return 1 - ((2 * both + SMOOTH) / (total + SMOOTH)).mean()


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    if logits.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(logits[:, 0], target.to(logits.dtype))
    return functional.cross_entropy(logits, target)


def _foreground(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities and truth of each class but the background, both (N, classes, H, W)."""
    if logits.shape[1] == 1:
        return logits.sigmoid(), target[:, None].to(logits.dtype)
    true = functional.one_hot(target, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
    return logits.softmax(dim=1)[:, 1:], true[:, 1:]
