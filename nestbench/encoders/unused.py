"""What a model's features do not depend on, found in the graph of a forward pass and taken out."""

from collections.abc import Callable, Container, Iterable
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

Features = Callable[[nn.Module], list[Tensor]]

_LISTS = (nn.ModuleList, nn.ModuleDict)


class Passing(nn.Module):
    """Stands where a module was that nothing depends on: gives back what it is given."""

    def forward(self, first: Any, *_: Any, **__: Any) -> Any:
        """Give back the first argument, whatever it is."""
        return first


class Nothing(nn.Module):
    """Stands where a module was that nothing depends on: a zero without a shape, so that sums with it still work."""

    def forward(self, first: Any, *_: Any, **__: Any) -> Tensor:
        """Give a zero of the type and on the device of the first tensor among the arguments."""
        while not isinstance(first, Tensor):
            first = first[0]
        return first.new_zeros(())


class Unused(NamedTuple):
    """Names of modules and of single parameters to take out, and what stands for the modules."""

    modules: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    stand_in: type[nn.Module] = Passing


def find_unused(model: nn.Module, features: Features) -> Unused:
    """Find what can be taken out of ``model`` (on the meta device) and leave ``features(model)`` as they are.

    Raises RuntimeError where parameters are left that nothing depends on.
    """
    with torch.enable_grad():
        before = features(model)
    idle = idle_names(model, used_names(model, before))
    for stand_in, containers in ((Passing, (*_LISTS, nn.Sequential)), (Nothing, _LISTS)):
        modules = tuple(_outermost(model, idle, containers))
        single = tuple(n for n in sorted(idle) if not n.startswith(tuple(f"{m}." for m in modules)))
        unused = Unused(modules, single, stand_in)
        if _stands(deepcopy(model), unused, features, before):
            return unused
    raise RuntimeError(f"{len(idle)} parameters that no feature depends on cannot be taken out, as {min(idle)}")


def used_names(model: nn.Module, features: Iterable[Tensor]) -> frozenset[str]:
    """Names of the parameters that features depend on."""
    used = {id(leaf) for leaf in _leaves(features)}
    return frozenset(n for n, p in model.named_parameters() if id(p) in used)


def idle_names(model: nn.Module, used: Container[str]) -> set[str]:
    """Names of the parameters that want a gradient and are not among the used ones."""
    return {n for n, p in model.named_parameters() if p.requires_grad and n not in used}


def take_out(model: nn.Module, unused: Unused) -> None:
    """Replace modules by their stand-ins; single parameters become buffers, which training leaves alone."""
    for name in unused.modules:
        model.set_submodule(name, unused.stand_in())
    for name in unused.parameters:
        owner, _, own = name.rpartition(".")
        module = model.get_submodule(owner)
        value = getattr(module, own).detach()
        delattr(module, own)
        module.register_buffer(own, value)


def _stands(model: nn.Module, unused: Unused, features: Features, before: list[Tensor]) -> bool:
    try:
        take_out(model, unused)
        with torch.enable_grad():
            after = features(model)
    except Exception:  # a model of anybody's may raise anything where a part of it is missing
        return False
    return [f.shape for f in after] == [f.shape for f in before] and not idle_names(model, used_names(model, after))


def _leaves(features: Iterable[Tensor]) -> Iterable[Tensor]:
    waiting: list[Any] = [f.grad_fn for f in features]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        if hasattr(node, "variable"):
            yield node.variable
        for parent, _ in node.next_functions:
            if parent is not None and parent not in seen:
                seen.add(parent)
                waiting.append(parent)


def _outermost(model: nn.Module, idle: set[str], containers: tuple[type[nn.Module], ...]) -> Iterable[str]:
    """Names of the outermost modules whose parameters, one at least, are all idle; containers keep their shape."""
    taken: tuple[str, ...] = ()
    for name, module in model.named_modules():
        if isinstance(module, containers):
            continue
        own = [f"{name}.{n}" for n, p in module.named_parameters() if p.requires_grad]
        if name and own and not name.startswith(taken) and idle.issuperset(own):
            taken = (*taken, f"{name}.")
            yield name
