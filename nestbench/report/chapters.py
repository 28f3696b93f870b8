"""What is said of one study, and in which order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from nestbench.report import costs, gains, ledgers, paper, prose, sheets, tables
from nestbench.report.answers import answers, pruning, whole
from nestbench.report.blocks import Block, code, heading, paragraph
from nestbench.report.cautions import cautions, half_done
from nestbench.report.figures import cases, plates
from nestbench.report.frames import groups
from nestbench.report.gather import Evidence
from nestbench.report.instances import pages as instances
from nestbench.report.statistics.comparisons import compare_isolated, compare_members, correct
from nestbench.report.statistics.pruning import prunable
from nestbench.report.statistics.ranks import ranks

_PRUNING = (
    "A network with several heads can be pruned after training. Named here is the shallowest head that is not inferior "
    "to the deepest one: chosen on the validation cases, where its one-sided 95 % lower bound, and that of each deeper "
    "head, lies above the margin of {margin} IoU points below, and confirmed by one test of it on the test cases, "
    "which had no part in choosing it. The trained seeds had: so Holm's method corrects over all networks with several "
    "heads, chosen or not."
)

_NOT_ALONE = (
    "No network of this study was trained to a lesser depth alone (unet++ds:2 would be one): whether training with all "
    "heads helps the shallow ones was not tested."
)

Tables = dict[str, pd.DataFrame]


def make_tables(evidence: Evidence) -> Tables:
    """Every table of a study by name; those that say nothing are left out."""
    if evidence.objects is not None:
        return instances.make_tables(evidence, evidence.objects)
    margin, primary = evidence.study.margin / 100, evidence.primary_cases
    raw = compare_members(primary), compare_isolated(evidence.test_cases, evidence.study.depth)
    pairs, alone = correct(*raw, margin=margin)
    heads = prunable(evidence.cases, margin)
    main = tables.members(evidence, pairs)
    printed = paper.printed(evidence, main)
    differences = gains.case_gains(evidence)
    made = {
        "members": main,
        "comparisons": pairs,
        "ranks": ranks(primary),
        "depths": tables.depths(evidence, heads),
        "paper": printed,
        "protocol": paper.protocols(evidence, printed) if len(printed) else printed,
        "classes": costs.by_class(evidence),
        "costs": costs.costs(evidence),
        "pruning": heads,
        "isolated": alone,
        "cases": gains.mean_gains(differences),
        "sizes": gains.gains_by_size(differences),
        "importance": evidence.importance,
        "search": tables.chosen(evidence),
        "unfinished": tables.unfinished(evidence),
    }
    return {name: table for name, table in made.items() if len(table)}


def chapter(evidence: Evidence, numbers: Tables, build: Path) -> dict[str, Any]:
    """A study as plain data; figures are drawn into ``build``."""
    study = evidence.study
    return {
        "title": study.name,
        "question": study.question,
        "notice": half_done(evidence),
        "answers": _answers(evidence, numbers),
        "blocks": [block for section in _sections(evidence, numbers, build) for block in section],
    }


def _answers(evidence: Evidence, numbers: Tables) -> list[str]:
    said = answers if evidence.objects is None else instances.answers
    return said(numbers["members"], numbers.get("comparisons", pd.DataFrame()), evidence.study.depth)


def _sections(evidence: Evidence, numbers: Tables, build: Path) -> Iterator[list[Block]]:
    study = evidence.study
    search = [*_search(numbers, study.depth), *plates.importance_plates(evidence, build)]
    body = _pixels if evidence.objects is None else instances.sections
    yield from body(evidence, numbers, search, build)
    yield [heading("Limits"), *prose.limits(evidence), *cautions(evidence)]
    yield [heading("Runs that are missing"), *_unfinished(numbers, study.depth)]
    yield [heading("Data"), *_data(evidence)]
    yield [heading("Machine and versions"), *_machine(evidence)]
    yield [heading("The study, every default written out"), code(evidence.text)]


def _pixels(evidence: Evidence, numbers: Tables, search: list[Block], build: Path) -> Iterator[list[Block]]:
    """Everything up to the limits of what the numbers say, where networks give the class of each pixel."""
    study = evidence.study
    yield [
        heading("Results"),
        sheets.members(numbers["members"], study.depth, study.seeds),
        *_paper(numbers, study.depth),
        *_classes(numbers, study.depth),
    ]
    yield [heading("What was run"), *prose.methods(evidence), *search]
    yield list(plates.grid_plate(evidence, build))
    if "comparisons" in numbers:
        yield [heading("Comparisons"), sheets.comparisons(numbers["comparisons"], study.depth)]
    if "ranks" in numbers:
        yield list(plates.rank_plate(evidence, numbers["ranks"], build))
    yield [heading("Accuracy and parameters"), *plates.parameter_plates(evidence, numbers["members"], build)]
    yield [heading("Pruning"), *_pruning(evidence, numbers, build)]
    yield [heading("Costs"), ledgers.costs(numbers["costs"], study.depth, evidence.plan["device"])]
    none = pd.DataFrame(columns=["dataset"])
    per_case = plates.gain_plates(evidence, numbers.get("cases", none), numbers.get("sizes", none), build)
    yield _titled("Where networks differ", list(per_case))
    yield [heading("Learning curves"), *plates.curve_plates(evidence, build)]
    overlays = list(cases.overlay_plates(evidence, build))
    yield _titled("Cases", overlays and [*overlays, *cases.head_plates(evidence, build)])


def _titled(name: str, blocks: list[Block]) -> list[Block]:
    return [heading(name), *blocks] if blocks else []


def _paper(numbers: Tables, depth: int) -> list[Block]:
    if "paper" not in numbers:
        return []
    return [*ledgers.printed(numbers["paper"], depth), ledgers.protocols(numbers["protocol"])]


def _classes(numbers: Tables, depth: int) -> list[Block]:
    return list(ledgers.classes(numbers["classes"], depth)) if "classes" in numbers else []


def _search(numbers: Tables, depth: int) -> list[Block]:
    if "search" not in numbers:
        return []
    values = numbers["search"]
    return [sheets.named(values, depth, str(values.columns[-1]), "The values that the search chose by validation IoU.")]


def _pruning(evidence: Evidence, numbers: Tables, build: Path) -> Iterator[Block]:
    depth, pruned = evidence.study.depth, numbers["depths"]
    said = pruning(numbers.get("pruning", pd.DataFrame()), pruned, depth)
    yield from map(paragraph, [_PRUNING.format(margin=f"{evidence.study.margin:g}"), *said] if said else [])
    yield from map(paragraph, whole(pruned, depth))
    if evidence.speed.empty:
        yield paragraph("Speed was not measured in this study.")
    for device, own in groups(pruned.fillna({"device": ""}), "device"):
        yield sheets.depths(own, depth, device)
    yield from plates.time_plates(evidence, pruned, build)
    alone = numbers.get("isolated", pd.DataFrame(columns=["dataset"]))
    if len(alone):
        yield ledgers.isolated(alone, depth)
    yield from plates.depth_plates(evidence, pruned, alone, build)
    if said and alone.empty:
        yield paragraph(_NOT_ALONE)


def _unfinished(numbers: Tables, depth: int) -> list[Block]:
    if "unfinished" not in numbers:
        return [paragraph("None: every run of the study is finished.")]
    caption = "Runs without a result, and why; no number of this report includes them."
    return [sheets.named(numbers["unfinished"], depth, "reason", caption)]


def _data(evidence: Evidence) -> Iterator[Block]:
    for name, about in evidence.datasets.items():
        facts = {key: about[key] for key in ("title", "licence", "citation", "url", "content")}
        yield sheets.facts(facts, f"The data set {name}. Content: fingerprint of the prepared images and masks.")


def _machine(evidence: Evidence) -> Iterator[Block]:
    yield sheets.facts(evidence.plan, "The plan under which every run was made.")
    count = len(evidence.environments)
    for index, environment in enumerate(evidence.environments, start=1):
        yield sheets.facts(environment, f"Where runs were made{f' ({index} of {count})' if count > 1 else ''}.")
