"""Pruning: the network of one head alone (the papers' UNet++ L1 .. L4)."""

import torch

from nestbench.model.build import AnyNetwork, construct


def prune(model: AnyNetwork, depth: int) -> AnyNetwork:
    """A network of its own that equals ``model``'s head at ``depth``; decoder and encoder are cut to what it needs.

    Weights are copied; device, dtype, memory format and train/eval mode are kept.
    Raises RequestError where no head was trained at that depth.
    """
    spec = model.spec.prune(depth)
    with torch.random.fork_rng(devices=[]):
        small = construct(spec)
    whole = model.state_dict()
    small.load_state_dict({name: whole[name].clone() for name in small.state_dict()}, assign=True)
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    for name, parameter in small.named_parameters():
        parameter.requires_grad_(name not in frozen)
    _follow(small, model)
    return small


def _follow(small: AnyNetwork, model: AnyNetwork) -> None:
    """Give each module its mode, and buffers that no state dict holds their device and type, not their values."""
    modules, buffers = dict(model.named_modules()), dict(model.named_buffers())
    for name, buffer in list(small.named_buffers()):
        owner, _, own = name.rpartition(".")
        if name in buffers:
            setattr(small.get_submodule(owner), own, buffer.to(buffers[name].device, buffers[name].dtype))
    for name, module in small.named_modules():
        module.training = modules.get(name, model).training
