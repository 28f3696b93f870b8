"""Networks: the grid made of tensors, its pruning, and its files of weights."""

from nestbench.model.answer import Answer, answering
from nestbench.model.build import AnyNetwork, build, construct
from nestbench.model.detector import Detector
from nestbench.model.files import load, save
from nestbench.model.network import Network
from nestbench.model.prune import prune
from nestbench.model.spec import DetectorSpec, ModelSpec, OutsideSpec, Spec

__all__ = [
    "Answer",
    "AnyNetwork",
    "Detector",
    "DetectorSpec",
    "ModelSpec",
    "Network",
    "OutsideSpec",
    "Spec",
    "answering",
    "build",
    "construct",
    "load",
    "prune",
    "save",
]
