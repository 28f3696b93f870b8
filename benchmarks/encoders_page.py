"""The page that ``benchmarks/encoders.py`` writes from its rows."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

Row = dict[str, Any]
SHOWN = 4
"""Depth of the network whose parameters the page shows."""


def page(rows: list[Row]) -> str:
    """The page in Markdown: what was asked, the share that works, families, and every model."""
    models = sorted((r for r in rows if r["kind"] == "walked"), key=lambda r: (r["name"].split(":")[0], r["name"]))
    proofs = {r["family"]: r for r in rows if r["kind"] == "proved"}
    return "\n".join([*_head(models, proofs), *_families(models, proofs), *_table(models)]) + "\n"


def _head(models: list[Row], proofs: dict[str, Row]) -> Iterator[str]:
    packages = ", ".join(f"{p} {version(p)}" for p in ("torch", "timm", "segmentation-models-pytorch"))
    offering = [r for r in models if r.get("offers", True)]
    working = sum(r["works"] for r in models)
    failing = {family for family, row in proofs.items() if not row["works"]}
    doubtful = sum(r["works"] and r["family"] in failing for r in models)
    yield "# Encoders that work\n"
    yield "Every model of timm and of segmentation-models-pytorch as an encoder of UNet++ with a head at each depth,"
    yield "3 input channels and 1 class. Written by\n"
    yield "    python benchmarks/encoders.py ROWS.jsonl\n"
    yield f"with {packages}.\n"
    yield f"**{working} of {len(offering)} models that offer features work: {working / max(len(offering), 1):.1%}**"
    yield f"(of all {len(models)} models: {working / max(len(models), 1):.1%})."
    if failing:
        yield f"The proof below fails for {len(failing)} of {len(proofs)} families, which have {doubtful} models;"
        yield f"without them {(working - doubtful) / max(len(offering), 1):.1%} are left.\n"
    else:
        yield f"The proof below holds for all {len(proofs)} families that have a model that works.\n"
    yield "A model works when the network builds on the meta device at the greatest depth (5 at most) and passes images"
    yield "of 64 x 64 and 65 x 97 pixels. The smallest model of each family is *proved*: on the CPU, at the same sizes,"
    yield "features have their strides, every parameter gets a gradient, an image of 2^depth pixels a side is large"
    yield "enough, and `prune` equals the head at every depth bit for bit and keeps only what its features depend on.\n"
    yield "*Takes*: any size; images *padded* with zeros to multiples of so many pixels, or to a least size; or images"
    yield "cut into *tiles* of the only size that the model takes. *Depth* is the greatest, up to 5. *Parameters* are"
    yield f"those of UNet++ at depth {SHOWN}. Strides are the model's own: finer levels come from a convolutional stem,"
    yield "and a transformer with one stride gives a pyramid of levels 2 to 5.\n"


def _families(models: list[Row], proofs: dict[str, Row]) -> Iterator[str]:
    families = defaultdict(list)
    for row in models:
        families[row["family"]].append(row)
    yield "## Families\n"
    yield "| family | models | work | takes | proved on |\n|---|---|---|---|---|"
    for family, rows in sorted(families.items()):
        takes = "; ".join(t for t, _ in Counter(r["takes"] for r in rows if "takes" in r).most_common(3))
        yield f"| {family} | {len(rows)} | {sum(r['works'] for r in rows)} | {takes} | {_proof(proofs.get(family))} |"
    yield ""


def _proof(row: Row | None) -> str:
    if row is None:
        return "-"
    return f"`{row['name']}`" if row["works"] else f"fails on `{row['name']}`: {_cell(row['reason'])}"


def _table(models: list[Row]) -> Iterator[str]:
    yield "## Models\n"
    yield "| encoder | strides | takes | depth | parameters | works |\n|---|---|---|---|---|---|"
    for row in models:
        strides = " ".join(str(s) for s in dict.fromkeys(row.get("strides", ()))) or "-"
        parameters = f"{row['parameters']:,}" if "parameters" in row else "-"
        works = "yes" if row["works"] else _cell(row["reason"])
        cells = (f"`{row['name']}`", strides, row.get("takes", "-"), str(row.get("depth", "-")), parameters, works)
        yield f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
