"""What is said of a study whose objects are told apart, and in which order."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from nestbench.report import answers as which
from nestbench.report import ledgers, prose
from nestbench.report import sheets as shared
from nestbench.report.blocks import Block, heading, paragraph
from nestbench.report.figures import contours, curves, objects, plates
from nestbench.report.figures.board import in_parts
from nestbench.report.figures.overlays import WHOLE, cut
from nestbench.report.figures.style import marks
from nestbench.report.frames import groups, rows
from nestbench.report.gather import Evidence
from nestbench.report.instances import sheets
from nestbench.report.instances.tables import Tables, make_tables
from nestbench.report.names import shortened, title
from nestbench.report.prose import finished_seeds
from nestbench.study.models import is_detector

__all__ = ["answers", "make_tables", "sections"]

_OBJECTS = (
    "A match of a found and a true object needs an IoU of at least a threshold: the found objects, the surest first, "
    "each take the true object of highest IoU that none has taken. Where the foreground of a network of classes is "
    "told apart, components are its connected pixels, and the watershed starts from the highest points of the smoothed "
    "distance to the background. From which probability a pixel counts, which size is too small, how the distance is "
    "smoothed and how far its tops are apart was chosen for each run by the mean Score on the validation cases{sure}. "
    "A picture without objects scores 1 where none is found, and else 0."
)

_SURE = ", and so was from which score on an object of a Mask R-CNN counts, all of them having a say in AP"

_TESTS = "What is said of IoU under Statistics, and of an epoch's validation IoU, is here of Score{where}."


def answers(main: pd.DataFrame, pairs: pd.DataFrame, depth: int) -> list[str]:
    """Which network to use, by Score, one paragraph a data set and encoder."""
    judged = main[main["primary"]]
    return which.answers(judged.assign(iou=judged["score"], iou_sd=judged["score_sd"]), pairs, depth, "Score")


def sections(evidence: Evidence, numbers: Tables, search: list[Block], build: Path) -> Iterator[list[Block]]:
    """Everything up to the limits of what the numbers say; ``search`` is what the search found."""
    study = evidence.study
    main = numbers["members"]
    results = [sheets.members(main, study.depth, study.seeds), sheets.pooled(main, study.depth)]
    if "ways" in numbers:
        results.append(sheets.ways(numbers["ways"], study.depth))
    if "paper" in numbers:
        results += [sheets.printed(numbers["paper"], study.depth), ledgers.protocols(numbers["protocol"])]
    yield [heading("Results"), *results]
    yield [heading("What was run"), *prose.methods(evidence), *_methods(evidence), *search]
    yield list(plates.grid_plate(evidence, build))
    if "comparisons" in numbers:
        yield [heading("Comparisons"), shared.comparisons(numbers["comparisons"], study.depth, "Score")]
    yield [heading("Score and threshold"), *_by_threshold(evidence, numbers["thresholds"], build)]
    yield [heading("Size of the objects"), *_by_size(evidence, numbers, build)]
    yield [
        heading("Costs"),
        ledgers.costs(numbers["costs"], study.depth, evidence.plan["device"]),
        *_speed(numbers, study.depth),
    ]
    yield [heading("Learning curves"), *_curves(evidence, build)]
    drawn = list(_contours(evidence, build))
    yield [heading("Cases"), *drawn] if drawn else []


def _methods(evidence: Evidence) -> Iterator[Block]:
    detectors = any(is_detector(model) for model in evidence.study.models)
    yield paragraph(_OBJECTS.format(sure=_SURE if detectors else ""), "Objects")
    yield paragraph(_TESTS.format(where="" if not detectors else " (an epoch's, of a Mask R-CNN alone)"))


def _by_threshold(evidence: Evidence, table: pd.DataFrame, build: Path) -> Iterator[Block]:
    for dataset, own in groups(table, "dataset"):
        drawn = objects.by_threshold(own, marks(evidence.study.models), evidence.study.depth)
        caption = (
            f"{dataset}: TP / (TP + FP + FN) of the test cases by the IoU that a match needs; Score is the mean of the "
            f"ten points. Band: ± one s.d. over seeds. n = {finished_seeds(evidence)}."
        )
        yield plates.plate(drawn, evidence, build, f"thresholds-{dataset}", caption)


def _by_size(evidence: Evidence, numbers: Tables, build: Path) -> Iterator[Block]:
    for dataset, own in groups(numbers["sizes"], "dataset"):
        drawn = objects.by_size(own, marks(evidence.study.models), evidence.study.depth)
        caption = (
            f"{dataset}: Score by the diameter of the objects, in pixels as networks see them, over all test cases "
            f"together. Bars: ± one s.d. over seeds. n = {finished_seeds(evidence)}."
        )
        yield plates.plate(drawn, evidence, build, f"object-sizes-{dataset}", caption)
    yield sheets.sizes(numbers["sizes"], evidence.study.depth)


def _curves(evidence: Evidence, build: Path) -> Iterator[Block]:
    """Learning curves: networks of classes have an IoU on the validation side, a Mask R-CNN a Score."""
    for (dataset, found), own in groups(
        evidence.epochs.assign(found=evidence.epochs["model"].map(is_detector)), ["dataset", "found"]
    ):
        metric = "Score" if found else "IoU"
        drawn = curves.learning_curves(own, marks(evidence.study.models), evidence.study.depth, metric)
        caption = (
            f"{dataset}, {'networks that find objects' if found else 'networks of classes'}: validation {metric} and "
            "loss by epoch. Thick lines: mean over seeds while all of them train, with a band of ± one s.d.; "
            f"{curves.ENDS} "
            f"n = {finished_seeds(evidence)}."
        )
        yield plates.plate(drawn, evidence, build, f"curves-{dataset}-{metric}", caption)


def _speed(numbers: Tables, depth: int) -> Iterator[Block]:
    for device, own in groups(numbers["speed"], "device") if "speed" in numbers else ():
        yield sheets.speed(own, depth, str(device))
    if "speed" not in numbers:
        yield paragraph("How long an image takes was not measured in this study.")


def _contours(evidence: Evidence, build: Path) -> Iterator[Block]:
    depth, scores = evidence.study.depth, evidence.primary_cases
    for dataset, encoder in evidence.panels:
        keys = [(dataset, encoder, m) for m in evidence.study.models if (dataset, encoder, m) in evidence.predictions]
        if not keys:
            continue
        own = scores[(scores["dataset"] == dataset) & (scores["encoder"] == encoder)]
        shown = own[own["case"].isin(evidence.overlays[dataset].cases)].drop_duplicates(["model", "case"])
        score = {(title(row.model, depth), row.case): row.score for row in rows(shown)}
        found = {title(key[2], depth): evidence.predictions[key] for key in keys}
        parts = f" Of an image of over {WHOLE} pixels a side a part is shown."
        caption = (
            f"{dataset}, {encoder}: the best, the median and the worst test case by the mean over all runs "
            f"({', '.join(map(shortened, evidence.overlays[dataset].cases))}). Solid: objects that the first finished "
            f"seed found, at an IoU of at least .{contours.PERCENT}; dashed: true objects that it missed; dotted: what "
            "it found and is none. Below: Score of the whole picture in points, and how many it missed and invented."
            f"{parts if cut(evidence.overlays[dataset]) else ''}"
        )
        for part, some in enumerate(in_parts(found)):
            drawn = contours.contours(evidence.overlays[dataset], some, score)
            more = f"-{part}" if part else ""
            yield plates.plate(drawn, evidence, build, f"contours-{dataset}-{encoder}{more}", caption)
