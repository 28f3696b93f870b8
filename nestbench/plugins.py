"""Things by name, from entry points: built-ins register in the same way as anybody's.

``timm:resnet18`` is plugin ``timm``, variant ``resnet18``.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from nestbench.errors import RequestError, unknown

Kind = Literal["encoder", "dataset", "loss"]


@cache
def available(kind: Kind) -> dict[str, EntryPoint]:
    """Entry points of a kind by name, whoever registered them."""
    return {point.name: point for point in entry_points(group=f"nestbench.{_group(kind)}")}


def find(kind: Kind, name: str) -> tuple[Any, str]:
    """Load the plugin that ``name`` names and return it with the variant behind the colon ('' where none).

    Raises RequestError for an unknown name, with the nearest one, and for a plugin that cannot be
    imported, with the package to blame.
    """
    plugin, _, variant = name.partition(":")
    points = available(kind)
    if plugin not in points:
        raise unknown(kind, plugin, points)
    point = points[plugin]
    try:
        return point.load(), variant
    except Exception as error:
        package = point.dist.name if point.dist else point.module
        raise RequestError(f"{kind} '{plugin}' of package '{package}' cannot be loaded: {error}") from error


def find_plain(kind: Kind, name: str) -> Any:
    """Load a plugin of a kind that has no variants.

    Raises RequestError as ``find`` does, and for a colon in the name.
    """
    plugin, variant = find(kind, name)
    if variant:
        raise RequestError(f"{kind} '{name}' has no variants: write '{name.partition(':')[0]}'")
    return plugin


def _group(kind: Kind) -> str:
    return "losses" if kind == "loss" else f"{kind}s"
