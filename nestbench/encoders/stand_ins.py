"""What stands where a module was that no feature depends on, so that the model around it still runs."""

from typing import Any

from torch import Tensor, nn


class Passing(nn.Module):
    """Gives back what it is given."""

    def forward(self, first: Any, *_: Any, **__: Any) -> Any:
        """Give back the first argument, whatever it is."""
        return first


class Nothing(nn.Module):
    """Gives a zero without a shape, so that sums with it still work."""

    def forward(self, first: Any, *_: Any, **__: Any) -> Tensor:
        """Give a zero of the type and on the device of the first tensor among the arguments."""
        while not isinstance(first, Tensor):
            first = first[0]
        return first.new_zeros(())


class Blank(nn.Module):
    """Gives zeros in the shape of what it is given, but for its channels, so that they can be concatenated."""

    def __init__(self, dim: int, size: int) -> None:
        super().__init__()
        self.dim, self.size = dim, size

    def forward(self, first: Tensor, *_: Any, **__: Any) -> Tensor:
        """Give zeros shaped as the first argument, with ``size`` along ``dim``."""
        shape = (*first.shape[: self.dim], self.size, *first.shape[self.dim + 1 :])
        return first.new_zeros(()).expand(shape)
