"""Networks: the grid made of tensors, its pruning, and its files of weights."""

from nestbench.model.build import build
from nestbench.model.files import load, save
from nestbench.model.network import Network
from nestbench.model.prune import prune
from nestbench.model.spec import ModelSpec

__all__ = ["ModelSpec", "Network", "build", "load", "prune", "save"]
