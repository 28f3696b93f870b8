"""Ways to make a network ready to answer, beside those of the library: each is an engine."""

import importlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from warnings import catch_warnings

import torch
from masters import in_bfloat16
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nestbench.engine import Engine
from nestbench.machine import Plan
from nestbench.model import Network
from nestbench.model.export import write_onnx

Script = Callable[[Tensor], tuple[Tensor, ...]]


def engine(model: Network, plan: Plan, logits: Callable[[Tensor], dict[int, Tensor]]) -> Engine:
    """An engine of what answers a batch, without gradients, and in float32 in the end."""

    @torch.inference_mode()
    def answer(images: Tensor) -> dict[int, Tensor]:
        return {depth: values.float() for depth, values in logits(images).items()}

    return Engine(model.spec, plan.device, answer)


def fold_norms(model: Network) -> None:
    """Fold every batch norm into the convolution that it reads, in place: once training is over, both are linear.

    Which convolution that is, is seen on one image. Raises KeyError where a batch norm reads anything else.
    """
    made: dict[Tensor, nn.Module] = {}
    pairs: dict[nn.Module, nn.Module] = {}
    hooks = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(lambda own, _, value: made.update({value: own})))
        if isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(lambda own, given: pairs.update({own: made[given[0]]})))
    with torch.no_grad():
        model(torch.randn(1, model.spec.in_channels, 32, 32))
    for hook in hooks:
        hook.remove()
    names = {module: name for name, module in model.named_modules()}
    for norm, convolution in pairs.items():
        fused = fuse_conv_bn_eval(cast(nn.Conv2d, convolution), cast(nn.BatchNorm2d, norm))
        model.set_submodule(names[convolution], fused)
        rest = norm.act if hasattr(norm, "act") else nn.Identity()  # timm has norms with an activation in them
        model.set_submodule(names[norm], cast(nn.Module, rest))


def weights_in_bfloat16(model: Network, plan: Plan) -> Engine:
    """Weights converted once, not by autocast in every pass."""
    plan.place(model)
    in_bfloat16(model)
    return engine(model, plan, lambda images: model(plan.arrange(images).bfloat16()))


def in_torchscript(model: Network, plan: Plan, prepacked: bool = False) -> Engine:
    """Traced and frozen, with its weights converted and batch norm folded; each batch and size anew.

    ``prepacked`` also brings weights into oneDNN's own layouts.
    """
    plan.place(model)
    scripts: dict[torch.Size, Script] = {}

    def logits(images: Tensor) -> dict[int, Tensor]:
        images = plan.arrange(images)
        if images.shape not in scripts:
            scripts[images.shape] = _script(model, images, prepacked)
        return dict(zip(model.spec.heads, scripts[images.shape](images), strict=True))

    return engine(model, plan, logits)


def _script(model: Network, images: Tensor, prepacked: bool) -> Script:
    # Weights whose casts are kept from one use to the next would be no part of what is traced.
    cast_anew = torch.autocast(images.device.type, torch.bfloat16, cache_enabled=False)
    with catch_warnings(action="ignore"), torch.no_grad(), cast_anew:  # it warns that it is old, and of fixed sizes
        traced: Any = torch.jit.trace(_Listed(model).eval(), images, check_trace=False)  # type: ignore[no-untyped-call]
        script: Any = torch.jit.freeze(traced)
        return cast(Script, torch.jit.optimize_for_inference(script) if prepacked else script)


def in_inductor(model: Network, plan: Plan, frozen: bool) -> Engine:
    """By ``torch.compile``, without its caches; ``frozen`` folds batch norm and packs weights as oneDNN likes them."""
    torch.compiler.config.force_disable_caches = True
    torch._inductor.config.freezing = frozen
    plan.place(model)
    model.compile()

    @torch.no_grad()
    def logits(images: Tensor) -> dict[int, Tensor]:
        with plan.autocast():
            found: dict[int, Tensor] = model(plan.arrange(images))
        return {depth: values.float() for depth, values in found.items()}

    return Engine(model.spec, plan.device, logits)  # torch packs no weights in inference mode


def in_onnxruntime(model: Network, plan: Plan) -> Engine:
    """In float32: ONNX Runtime has no convolution in bfloat16 on a CPU."""
    runtime: Any = importlib.import_module("onnxruntime")  # it comes with an extra
    options = runtime.SessionOptions()
    options.intra_op_num_threads = plan.threads
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        write_onnx(model, path)
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def logits(images: Tensor) -> dict[int, Tensor]:
        found = session.run(None, {"image": images.numpy()})
        return {depth: torch.from_numpy(values) for depth, values in zip(model.spec.heads, found, strict=True)}

    return engine(model, plan, logits)


class _Listed(nn.Module):
    """A network that answers with its logits alone, as TorchScript wants it."""

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.model(images).values())
