"""Things by name, from entry points: built-ins register in the same way as anybody's.

``timm:resnet18`` is plugin ``timm``, variant ``resnet18``.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from nestbench.errors import RequestError, unknown

Kind = Literal["encoder", "dataset", "loss", "model"]


@cache
def available(kind: Kind) -> dict[str, EntryPoint]:
    """Entry points of a kind by name, whoever registered them; of a name that several registered, one of them."""
    return {point.name: point for point in _points(kind)}


@cache
def packages(kind: Kind) -> dict[str, tuple[str, ...]]:
    """Every name of a kind with the packages that registered it: one, or else nobody can say which is meant."""
    found: dict[str, set[str]] = {}
    for point in _points(kind):
        found.setdefault(point.name, set()).add(_package(point))
    return {name: tuple(sorted(owners)) for name, owners in sorted(found.items())}


def listed(kind: Kind) -> list[tuple[str, str]]:
    """Every name of a kind with its package in words, in the order of the names: nothing is imported."""
    return [(name, owners[0] if len(owners) == 1 else _rivals(owners)) for name, owners in packages(kind).items()]


def find(kind: Kind, name: str) -> tuple[Any, str]:
    """Load the plugin that ``name`` names and return it with the variant behind the colon ('' where none).

    Raises RequestError for an unknown name, with the nearest one; for a name that several packages registered, with
    all of them; and for a plugin that cannot be imported or called, with the package to blame.
    """
    plugin, _, variant = name.partition(":")
    points = available(kind)
    if plugin not in points:
        raise unknown(kind, plugin, points)
    owners = packages(kind).get(plugin, ())
    if len(owners) > 1:
        raise RequestError(f"{kind} '{plugin}' is ambiguous: {_rivals(owners)}")
    return _load(f"{kind} '{plugin}'", points[plugin]), variant


def find_plain(kind: Kind, name: str) -> Any:
    """Load a plugin of a kind that has no variants.

    Raises RequestError as ``find`` does, and for a colon in the name.
    """
    plugin, variant = find(kind, name)
    if variant:
        raise RequestError(f"{kind} '{name}' has no variants: write '{name.partition(':')[0]}'")
    return plugin


def _points(kind: Kind) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=f"nestbench.{'losses' if kind == 'loss' else f'{kind}s'}"))


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.module


def _rivals(owners: tuple[str, ...]) -> str:
    named = " and ".join(f"'{owner}'" for owner in owners)
    return f"registered by {named}, of which only one can stay installed"


def _load(named: str, point: EntryPoint) -> Any:
    blamed = f"{named} of package '{_package(point)}'"
    try:
        plugin = point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may even call sys.exit, which must not end nestbench without a word
        reason = ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])
        raise RequestError(f"{blamed} cannot be loaded: {reason}") from error
    if not callable(plugin):
        raise RequestError(f"{blamed} cannot be called: it is of type {type(plugin).__name__}")
    return plugin
