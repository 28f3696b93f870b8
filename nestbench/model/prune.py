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
    return small.train(model.training)
