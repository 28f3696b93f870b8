"""What a model's features do not depend on, found in the graph of a forward pass and taken out."""

from collections.abc import Callable, Container, Iterable, Iterator
from copy import copy, deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nestbench.encoders.stand_ins import Blank, Nothing, Passing

Features = Callable[[nn.Module], list[Tensor]]
StandIns = tuple[tuple[str, nn.Module], ...]
Graph = list[tuple[str, tuple[int, ...]]]


class Unused(NamedTuple):
    """Modules to take out, by their names, with what stands for each; and single parameters."""

    modules: StandIns = ()
    parameters: tuple[str, ...] = ()
    """Those that nothing reads: they go."""
    read: tuple[str, ...] = ()
    """Those that the model reads for what is not taken: they stay as buffers, which training leaves alone."""


def find_unused(model: nn.Module, features: Features) -> Unused:
    """Find what can be taken out of ``model`` (on the meta device) and leave ``features(model)`` as they are.

    Raises RuntimeError where parameters are left that nothing depends on.
    """
    follow(model)  # what the model keeps fixed may be unused too
    with torch.enable_grad():
        before = features(model)
    idle, graph = idle_names(model, used_names(model, before)), _graph(model, before)

    def stands(unused: Unused) -> bool:
        return _stands(deepcopy(model), unused, features, before, graph)

    for modules in _ways(model, idle, features):
        within = tuple(f"{name}." for name, _ in modules)
        unused = Unused(modules, read=tuple(n for n in sorted(idle) if not n.startswith(within)))
        if stands(unused):
            return _without_unread(unused, stands)
    raise RuntimeError(f"{len(idle)} parameters that no feature depends on cannot be taken out, as {min(idle)}")


def follow(model: nn.Module) -> None:
    """Let the graph show every parameter that can have a gradient, fixed ones too; of integers none can."""
    for parameter in model.parameters():
        if _can_be_trained(parameter):
            parameter.requires_grad_(True)


def used_names(model: nn.Module, features: Iterable[Tensor]) -> frozenset[str]:
    """Names of the parameters that features depend on."""
    used = {id(node.variable) for node in _nodes(features) if hasattr(node, "variable")}
    return frozenset(n for n, p in model.named_parameters() if id(p) in used)


def own_names(model: nn.Module, features: Iterable[Tensor]) -> list[frozenset[str]]:
    """Names of the parameters that each feature depends on and none before it does."""
    own: list[frozenset[str]] = []
    for feature in features:
        own.append(used_names(model, [feature]).difference(*own))
    return own


def idle_names(model: nn.Module, used: Container[str]) -> set[str]:
    """Names of the parameters that are not among the used ones; those of integers are never told."""
    return {n for n, p in model.named_parameters() if n not in used and _can_be_trained(p)}


def take_out(model: nn.Module, unused: Unused) -> None:
    """Replace modules by their stand-ins, and drop single parameters or make buffers of them."""
    for name, stand_in in unused.modules:
        model.set_submodule(name, copy(stand_in))
    for name in (*unused.parameters, *unused.read):
        owner, _, own = name.rpartition(".")
        module = model.get_submodule(owner)
        value = getattr(module, own).detach()
        delattr(module, own)
        module.register_buffer(own, value if name in unused.read else None)


def _can_be_trained(parameter: Tensor) -> bool:
    return parameter.is_floating_point() or parameter.is_complex()


def _ways(model: nn.Module, idle: set[str], features: Features) -> Iterator[StandIns]:
    """Stand-ins to try: small modules first, since some models take a part of a sequence or look into it."""
    parts, wholes = (tuple(_outermost(model, idle, split)) for split in (True, False))
    yield tuple((name, Passing()) for name in parts)
    yield tuple((name, Passing()) for name in wholes)
    yield tuple((name, Nothing()) for name in wholes)
    yield _blanks(model, wholes, features)


def _without_unread(unused: Unused, stands: Callable[[Unused], bool]) -> Unused:
    """Drop the single parameters that nothing reads; their shapes may depend on the depth, as a head's do."""
    for name in unused.read:
        fewer = unused._replace(
            parameters=(*unused.parameters, name), read=tuple(other for other in unused.read if other != name)
        )
        unused = fewer if stands(fewer) else unused
    return unused


def _stands(model: nn.Module, unused: Unused, features: Features, before: list[Tensor], graph: Graph) -> bool:
    """Whether without what is unused the features are computed as they were, of the same parameters alone.

    The graphs are compared since an activation in place, behind a module that is gone, would change a feature.
    """
    try:
        take_out(model, unused)
        with torch.enable_grad():
            after = features(model)
    except Exception:  # a model of anybody's may raise anything where a part of it is missing
        return False
    same = [f.shape for f in after] == [f.shape for f in before] and _graph(model, after) == graph
    return same and not idle_names(model, used_names(model, after))


def _graph(model: nn.Module, features: Iterable[Tensor]) -> Graph:
    """Operations that features come from, each with the numbers of those that it builds upon; names of parameters."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    numbers = {node: number for number, node in enumerate(_nodes(features))}
    return [
        (
            names.get(id(node.variable), "") if hasattr(node, "variable") else node.name(),
            tuple(numbers[parent] for parent, _ in node.next_functions if parent is not None),
        )
        for node in numbers
    ]


def _nodes(features: Iterable[Tensor]) -> Iterator[Any]:
    waiting: list[Any] = list(dict.fromkeys(f.grad_fn for f in features))
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        yield node
        for parent, _ in node.next_functions:
            if parent is not None and parent not in seen:
                seen.add(parent)
                waiting.append(parent)


def _outermost(model: nn.Module, idle: set[str], split: bool) -> Iterator[str]:
    """Names of the outermost modules whose parameters, one at least, are all idle.

    Lists that are never called keep their shape, and so do sequences if they are ``split``.
    """
    taken: tuple[str, ...] = ()
    for name, module in model.named_modules():
        if type(module).forward is nn.Module.forward or (split and isinstance(module, nn.Sequential)):
            continue
        own = [f"{name}.{n}" for n, _ in module.named_parameters()]
        if name and own and not name.startswith(taken) and idle.issuperset(own):
            taken = (*taken, f"{name}.")
            yield name


def _blanks(model: nn.Module, names: Iterable[str], features: Features) -> StandIns:
    """Zeros for each module that changes the channels alone of what it is given; the others pass it on.

    Channels come second, but last of tokens (N, T, C). Any other side depends on the image's size.
    """
    found: dict[str, nn.Module] = {}

    def note(name: str, given: tuple[Any, ...], made: Any) -> None:
        first, *_ = (*given, None)
        if isinstance(first, Tensor) and isinstance(made, Tensor) and first.ndim == made.ndim:
            changed = [dim for dim in range(made.ndim) if first.shape[dim] != made.shape[dim]]
            channels = 2 if made.ndim == 3 else 1
            if changed == [channels]:
                found[name] = Blank(channels, made.shape[channels])

    hooks = [
        model.get_submodule(name).register_forward_hook(lambda _, given, made, name=name: note(name, given, made))
        for name in names
    ]
    features(model)
    for hook in hooks:
        hook.remove()
    return tuple((name, found.get(name, Passing())) for name in names)
