"""Engines: a network made ready to answer under a plan, by torch as it was trained, or by OpenVINO."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nestbench.errors import RequestError, reason, unknown
from nestbench.machine import Plan, choose_plan
from nestbench.model import AnyNetwork, Spec, answering
from nestbench.model.detector import refuse_detector
from nestbench.model.export import trace
from nestbench.study.schema import ENGINES

_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
"""A plan's precision in OpenVINO's words."""


@dataclass(frozen=True)
class Engine:
    """A network that is ready to answer."""

    spec: Spec
    device: str
    """Where it takes its images."""
    logits: Callable[[Tensor], dict[int, Tensor]]
    """From a batch (N, C, *space) to float32 logits (N, K, *space) of each head by its depth."""


def plan_for(kind: str, device: str, cache: Path | None = None) -> Plan:
    """The plan that an engine runs by: ``choose_plan``'s, and OpenVINO on the CPU where the device is left open.

    Raises RequestError for an engine or a device that does not exist, or not here.
    """
    if kind not in ENGINES:
        raise unknown("engine", kind, ENGINES)
    if kind == "openvino" and importlib.util.find_spec("openvino") is None:
        raise RequestError("engine 'openvino' is not installed: pip install 'nestbench[openvino]'")
    if (kind, device) == ("openvino", "cuda"):
        raise RequestError("engine 'openvino' computes on the CPU, and the device is 'cuda' (allowed: auto, cpu)")
    return choose_plan("cpu" if (kind, device) == ("openvino", "auto") else device, cache=cache)


def make_engine(model: AnyNetwork, plan: Plan, kind: str = "torch") -> Engine:
    """Make a network ready under a plan of ``plan_for``; torch moves it to where the plan says, and to float32.

    Raises RequestError for a network that OpenVINO cannot take.
    """
    refuse_detector(model.spec)
    return _in_openvino(model, plan) if kind == "openvino" else _in_torch(model, plan)


def as_it_is(model: AnyNetwork) -> Engine:
    """A network on the device, and in the type, of its own weights."""
    refuse_detector(model.spec)
    weights = next(model.parameters())
    model.eval()

    def logits(images: Tensor) -> dict[int, Tensor]:
        return {depth: values.float() for depth, values in model(images.to(weights)).items()}

    return Engine(model.spec, weights.device.type, torch.inference_mode()(logits))


def _in_torch(model: AnyNetwork, plan: Plan) -> Engine:
    plan.place(model.float()).eval()
    answer = answering(model, plan)

    def logits(images: Tensor) -> dict[int, Tensor]:
        return answer(images.to(plan.device))

    return Engine(model.spec, plan.device, torch.inference_mode()(logits))


def _in_openvino(model: AnyNetwork, plan: Plan) -> Engine:
    """One graph for every batch and size."""
    options = {
        "INFERENCE_PRECISION_HINT": _PRECISIONS[plan.precision],
        "INFERENCE_NUM_THREADS": plan.threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    program, openvino = trace(model), _openvino()
    try:
        compiled = openvino.Core().compile_model(openvino.convert_model(program), "CPU", options)
    except Exception as error:  # an encoder of anybody's may hold what OpenVINO lacks, and it raises what it likes
        raise RequestError(f"OpenVINO cannot take the network on '{model.spec.encoder}': {reason(error)}") from error

    def logits(images: Tensor) -> dict[int, Tensor]:
        found = compiled(images.cpu().float().contiguous().numpy())
        return {depth: torch.from_numpy(found[index]) for index, depth in enumerate(model.spec.heads)}

    return Engine(model.spec, "cpu", logits)


def _openvino() -> Any:
    # OpenVINO tells its makers of every conversion, unless the package that does so cannot be imported.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")
