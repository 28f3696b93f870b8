"""``nestbench study prune``: the networks of a study cut to the depth that its results support, ready to use."""

from dataclasses import asdict, dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestbench.cli.answers import AsJson, amount, say_json, say_table
from nestbench.cli.study_file import Results, StudyFile, read
from nestbench.errors import RequestError, unknown

if TYPE_CHECKING:
    import pandas as pd

    from nestbench.report.gather import Evidence
    from nestbench.study.schema import Cell, Study

_FACTS = (
    *("output", "deepest", "validation", "validation_low", "p_validation"),
    *("test", "test_low", "p_test_holm", "chosen", "confirmed"),
)


@dataclass(frozen=True)
class Cut:
    """A network that was pruned: its files, and what it takes beside its deepest head alone."""

    seed: int
    weights: str
    onnx: str
    difference: float | None
    """Largest between ONNX Runtime's logits and the network's; None where it is not installed."""
    costs: dict[str, tuple[float, float]]
    """By name: what it takes, and what the deepest takes. Memory is what a pass in float32 takes at least."""


def prune(
    file: StudyFile,
    results: Results = Path("results"),
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the pruned networks are written.")] = Path(
        "pruned"
    ),
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Only this network; may be repeated.", show_default="all")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prune each network as far as the tests support, and write its weights and its ONNX file.

    The depth is the shallowest that is not inferior to the deepest head, chosen on the validation cases and confirmed
    on the test cases; the seed is the one whose pruned network is best on the validation cases.
    """
    study = read(file)
    for name in model or ():
        if name not in study.models:
            raise unknown("model", name, study.models)
    rows, cuts = _decide_and_cut(study, results / study.name, out, model or list(study.models))
    if as_json:
        say_json([row | {"cut": cut and asdict(cut)} for row, cut in zip(rows, cuts, strict=True)])
    else:
        _say(study, rows, cuts)


def _decide_and_cut(
    study: "Study", folder: Path, out: Path, models: list[str]
) -> tuple[list[dict[str, Any]], list[Cut | None]]:
    from nestbench.report.gather import gather
    from nestbench.report.statistics.pruning import prunable
    from nestbench.results.owner import refuse_changed

    refuse_changed(study, folder)
    evidence = gather(folder)
    heads = prunable(evidence.cases, study.margin / 100)
    if heads.empty or not heads["model"].isin(models).any():
        raise RequestError(f"none of {', '.join(models)} has a finished run with several heads: nothing can be pruned")
    cells = {cell.key: cell for cell in study.cells() if cell.model in models}
    rows = [_decision(own, cell) for cell in cells.values() if len(own := _of(heads, cell))]
    confirmed = [row for row in rows if row["confirmed"]]
    if confirmed:
        from nestbench.model.export import require_onnx

        require_onnx()
    return rows, [_cut(evidence, cells[row["dataset"], row["encoder"], row["model"]], row, folder, out) for row in rows]


def _of(heads: "pd.DataFrame", cell: "Cell") -> "pd.DataFrame":
    return heads[(heads[["dataset", "encoder", "model"]] == list(cell.key)).all(axis="columns")]


def _decision(heads: "pd.DataFrame", cell: "Cell") -> dict[str, Any]:
    """What was decided for a network: of the depth that was chosen, or else of the second deepest."""
    row = (heads[heads["chosen"]] if heads["chosen"].any() else heads.iloc[[-1]]).iloc[0]
    facts = {name: row[name].item() if hasattr(row[name], "item") else row[name] for name in _FACTS}
    facts = {name: None if isinstance(v, float) and isnan(v) else v for name, v in facts.items()}  # JSON has no NaN
    return dict(zip(("dataset", "encoder", "model"), cell.key, strict=True)) | facts


def _cut(evidence: "Evidence", cell: "Cell", row: dict[str, Any], folder: Path, out: Path) -> Cut | None:
    if not row["confirmed"]:
        return None
    from nestbench.model import load, save
    from nestbench.model import prune as pruned
    from nestbench.model.export import write_onnx
    from nestbench.model.files import read_use
    from nestbench.report.statistics.pruning import best_seed
    from nestbench.results.places import cell_folder, seed_folder

    seed = best_seed(evidence.cases, cell.key, row["output"])
    source = seed_folder(folder, cell, seed) / "weights.safetensors"
    whole, about = load(source), read_use(source)
    small = pruned(whole, int(row["output"][1:]))
    weights = cell_folder(out / folder.name, cell) / f"{row['output']}.safetensors"
    weights.parent.mkdir(parents=True, exist_ok=True)
    save(small, weights, about)
    onnx = weights.with_suffix(".onnx")
    difference = write_onnx(small, onnx, about)
    specs = small.spec, whole.spec.prune(int(row["deepest"][1:]))
    return Cut(seed, str(weights), str(onnx), difference, _costs(evidence, cell, row, specs))


def _costs(evidence: "Evidence", cell: "Cell", row: dict[str, Any], specs: Any) -> dict[str, tuple[float, float]]:
    from nestbench.model.size import network_size
    from nestbench.speed.memory import least_memory

    sizes = [network_size(spec, cell.dataset.side) for spec in specs]
    memory = [float(least_memory(spec, cell.dataset.side, 1, "float32")) for spec in specs]
    costs = {
        "parameters": (float(sizes[0].parameters), float(sizes[1].parameters)),
        "FLOPs": (float(sizes[0].flops), float(sizes[1].flops)),
        "bytes": (memory[0], memory[1]),
    }
    speed = evidence.speed[(evidence.speed[["dataset", "encoder", "model"]] == list(cell.key)).all(axis="columns")]
    for device, own in speed.groupby("device", sort=False):
        ms = own.set_index("output")["median_ms"]
        costs[f"ms on {device}"] = float(ms[row["output"]]), float(ms[row["deepest"]])
    return costs


def _say(study: "Study", rows: list[dict[str, Any]], cuts: list[Cut | None]) -> None:
    say_table(
        ("data set", "encoder", "model", "decision", ">test IoU, points", ">at least"),
        [(r["dataset"], r["encoder"], r["model"], _word(r), _points(r["test"]), _points(r["test_low"])) for r in rows],
        f"The shallowest head not inferior to the deepest within {study.margin:g} IoU points",
    )
    for row, cut in zip(rows, cuts, strict=True):
        if cut:
            typer.echo(f"{row['model']} on {row['dataset']} with {row['encoder']}, seed {cut.seed}:")
            columns = ("", f">{row['output']}", f">{row['deepest']}", ">saved")
            say_table(columns, [(name, _cost(a), _cost(b), f"{1 - a / b:.0%}") for name, (a, b) in cut.costs.items()])
            typer.echo(f"{cut.weights}\n{cut.onnx}")


def _cost(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else amount(value)


def _word(row: dict[str, Any]) -> str:
    if row["p_validation"] is None:
        return "no test: fewer than three seeds or two subjects"
    if not row["chosen"]:
        return f"stays at {row['deepest']}: validation shows no other to be as good"
    return (
        f"{row['output']}, confirmed"
        if row["confirmed"]
        else f"stays at {row['deepest']}: {row['output']} not confirmed"
    )


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.2f}"
