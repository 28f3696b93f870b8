"""A report's content, typeset as a PDF that anybody can read for long, and that carries its content with it."""

import json
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import typst

from nestbench.report.blocks import ATTACHED
from nestbench.report.figures.style import FONTS
from nestbench.results.atomic import replacing

_MAKERS = ("nestbench", "matplotlib", "numpy", "pandas", "scikit-posthocs", "scipy", "typst")


def made_with() -> dict[str, str]:
    """Versions of all that decides how a report is worked out and drawn."""
    return {name: version(name) for name in _MAKERS}


def typeset(content: dict[str, Any], build: Path, out: Path) -> None:
    """Typeset a report's content, with its figures in ``build``, as a PDF.

    It is PDF/A-3a, for archives, with the content attached, and PDF/UA-1, for readers who do not see it.
    Its date is that of the epoch, for results have none, and the same results must give the same bytes.
    """
    (build / ATTACHED).write_text(json.dumps(content, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    template = build / "report.typ"
    template.write_bytes(files("nestbench.report").joinpath("report.typ").read_bytes())
    pdf = typst.compile(
        template,
        root=build,
        font_paths=[FONTS],
        ignore_system_fonts=True,
        timestamp=0,
        pdf_standards=["a-3a", "ua-1"],
    )
    with replacing(out) as beside:
        beside.write_bytes(pdf)
