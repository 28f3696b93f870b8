"""The figures of the report: each drawn, saved as SVG into the build folder, and captioned."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from nestbench.report.blocks import Block, figure
from nestbench.report.figures import accuracy, curves, depths, gains, ranks, searches
from nestbench.report.figures.grids import member_grids
from nestbench.report.figures.style import Mark, marks, save
from nestbench.report.frames import first, groups, rows
from nestbench.report.gather import Evidence
from nestbench.report.names import counted, listed, points, probability, significant, title
from nestbench.report.prose import finished_seeds
from nestbench.results.reading import hashed
from nestbench.results.records import fingerprint
from nestbench.study.models import is_outside
from nestbench.study.words import slug

_LONGEST = 80
"""Letters of a figure's name in the name of its file, which a file system does not allow to be of any length."""


def grid_plate(evidence: Evidence, build: Path) -> Iterator[Block]:
    """The grid of each member of the family; nothing where the study has none."""
    study = evidence.study
    members = tuple(model for model in study.models if not is_outside(model))
    if not members:
        return
    caption = (
        "The grid of each network. Node ij stands at level i from the top and in column j; dark nodes are the encoder. "
        "Solid arrows go down or up a level, dashed ones are skips; L1, L2, .. are heads. Nodes that no head needs are "
        "left out."
    )
    yield plate(member_grids(members, study.depth), evidence, build, "grids", caption)


def parameter_plates(evidence: Evidence, main: pd.DataFrame, build: Path) -> Iterator[Block]:
    """Accuracy against parameters, and the encoders beside one another where there are several."""
    depth = evidence.study.depth
    for dataset, own in _shared(main):
        count = _counted(evidence, own.groupby("dataset", sort=False)["cases"].first())
        drawn = accuracy.accuracy_by_parameters(own, _marks(evidence), depth)
        caption = (
            f"{dataset}: test IoU against the parameters of the trained network. Bars: ± one s.d. over seeds. Grey "
            f"steps: the Pareto front, of networks than which none has both fewer parameters and a higher mean. {count}"
        )
        yield plate(drawn, evidence, build, f"parameters-{dataset}", caption, _told(own, depth))
        if len(first(main, "encoder")) > 1:
            drawn = accuracy.by_encoder(own, _marks(evidence), depth)
            caption = (
                f"{dataset}: test IoU of each network, a panel for each encoder. Bars: ± one s.d. over seeds. {count}"
            )
            yield plate(drawn, evidence, build, f"encoders-{dataset}", caption, _told(own, depth))


def depth_plates(evidence: Evidence, outputs: pd.DataFrame, isolated: pd.DataFrame, build: Path) -> Iterator[Block]:
    """Accuracy by depth, and what training with all heads does for each depth."""
    depth = evidence.study.depth
    for dataset, own in _shared(outputs):
        if depths.has_several(own, depth):
            drawn = depths.by_depth(own, _marks(evidence), depth)
            alone = "; a hollow marker is a network trained to that depth alone" if depths.has_alone(own, depth) else ""
            caption = (
                f"{dataset}: test IoU by depth. A line joins the heads of one network{alone}. Bars: ± one s.d. over "
                f"seeds. n = {finished_seeds(evidence)}."
            )
            yield plate(drawn, evidence, build, f"depth-{dataset}", caption)
    for dataset, own in _shared(depths.paired(isolated, depth)):
        drawn = depths.embedded(own, _marks(evidence), depth)
        caption = (
            f"{dataset}: what training with all heads (embedded) gains over training the same network alone "
            "(isolated), by the depth that it is pruned to. Bars: 95 % interval of that difference by itself, over "
            f"seeds and subjects, not corrected for their number. n = {finished_seeds(evidence)}."
        )
        yield plate(drawn, evidence, build, f"embedded-{dataset}", caption)


def rank_plate(evidence: Evidence, table: pd.DataFrame, build: Path) -> Iterator[Block]:
    """The critical-difference diagram over all data sets."""
    drawn = ranks.critical_difference(table, _marks(evidence), evidence.study.depth)
    p, count = probability(table["friedman"].iloc[0]), counted(int(table["datasets"].iloc[0]), "data set")
    found = (
        "networks under one bar are not told apart by Nemenyi's test"
        if table["critical"].notna().all()
        else "nobody is told apart"
    )
    caption = (
        f"Mean rank of each network (1 is the best by mean test IoU). Friedman's test: p = {p}; {found}. n = {count}."
    )
    told = "; ".join(f"{title(row.model, evidence.study.depth)} {row.rank:.2f}" for row in rows(table))
    yield plate(drawn, evidence, build, "ranks", caption, f"{told}.")


def gain_plates(evidence: Evidence, cases: pd.DataFrame, sizes: pd.DataFrame, build: Path) -> Iterator[Block]:
    """What each member gains over the reference, case by case and by the objects' size."""
    depth = evidence.study.depth
    for dataset, own in _shared(cases):
        drawn = gains.by_case(own, _marks(evidence), depth)
        caption = (
            f"{dataset}: difference of each case's test IoU (mean over seeds) to the reference's, the cases in rising "
            f"order for each network. The axis is linear up to ±{gains.linear_to(100 * own['difference'].abs()):g} and "
            f"logarithmic beyond. {_counted(evidence, own.groupby('dataset', sort=False)['case'].nunique())}"
        )
        yield plate(drawn, evidence, build, f"cases-{dataset}", caption)
    for dataset, own in groups(sizes, "dataset"):
        drawn = gains.by_size(own, _marks(evidence), depth)
        caption = (
            f"{dataset}: mean difference of test IoU to the reference by the size of the objects, the number of cases "
            "in brackets. Bars: 95 % interval of that mean by itself, over seeds and subjects, not corrected for their "
            f"number. n = {finished_seeds(evidence)}."
        )
        yield plate(drawn, evidence, build, f"sizes-{dataset}", caption)


def importance_plates(evidence: Evidence, build: Path) -> Iterator[Block]:
    """What decided the searches, one figure a data set."""
    for dataset, own in groups(evidence.importance, "dataset"):
        drawn = searches.importance(own, _marks(evidence), evidence.study.depth)
        low, high = own["trials"].min(), own["trials"].max()
        count = counted(int(high), "trial") if low == high else f"{low} to {high} trials"
        caption = (
            f"{dataset}: how much each searched key decides whether a trial is among the best quarter by validation "
            f"IoU ({', '.join(first(own, 'method'))}). n = {count} a network."
        )
        yield plate(drawn, evidence, build, f"importance-{dataset}", caption)


def time_plates(evidence: Evidence, depths: pd.DataFrame, build: Path) -> Iterator[Block]:
    """Accuracy against the time of each pruned network, figures of their own for each device."""
    timed = depths[depths["median_ms"].notna()]
    parts = [(device, *part) for device, own in groups(timed, "device") for part in _shared(own)]
    for device, dataset, own in parts:
        drawn = accuracy.accuracy_by_time(own, _marks(evidence), evidence.study.depth)
        caption = (
            f"{dataset}: mean test IoU against the median time of an image on {device}, for each network pruned to "
            "each of its heads. A line joins the depths of one network; the "
            f"hollow marker is the ensemble of all heads, not pruned. n = {finished_seeds(evidence)}."
        )
        yield plate(drawn, evidence, build, f"time-{dataset}-{device}", caption)


def curve_plates(evidence: Evidence, build: Path) -> Iterator[Block]:
    """Learning curves."""
    for dataset, own in _shared(evidence.epochs, 3):
        drawn = curves.learning_curves(own, _marks(evidence), evidence.study.depth)
        caption = (
            f"{dataset}: validation IoU and validation loss (the mean over heads) by epoch. Thick lines: mean over "
            f"seeds while all of them train, with a band of ± one s.d.; {curves.ENDS} The first epochs may lie outside "
            f"the axes. n = {finished_seeds(evidence)}."
        )
        yield plate(drawn, evidence, build, f"curves-{dataset}", caption)


def _shared(table: pd.DataFrame, most: int = 6) -> Iterator[tuple[str, pd.DataFrame]]:
    """Parts of a table that share a figure, with the name of each: a data set, with a panel for each encoder.

    Where there is one encoder, several data sets: each stands where a figure has an encoder, ``most`` in a figure.
    """
    names = first(table, "dataset") if len(table) else []
    if len(names) < 2 or len(first(table, "encoder")) > 1:
        yield from groups(table, "dataset")
        return
    for start in range(0, len(names), most):
        some = names[start : start + most]
        own = table[table["dataset"].isin(some)]
        yield f"{listed(some)}, with {own['encoder'].iloc[0]}", own.assign(encoder=own["dataset"])


def _counted(evidence: Evidence, cases: "pd.Series[int]") -> str:
    """How many seeds, and how many test cases of each data set, in words."""
    sizes = cases.unique()
    named = listed([f"{count} of {name}" for name, count in cases.items()])
    tested = counted(sizes[0], "test case") if len(sizes) == 1 else f"test cases: {named}"
    return f"n = {finished_seeds(evidence)}, {tested}{' each' if len(sizes) == 1 < len(cases) else ''}."


def plate(drawn: Figure, evidence: Evidence, build: Path, name: str, caption: str, told: str = "") -> Block:
    """Save a figure; ``told`` adds to its caption what is seen in it, for who cannot."""
    short = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}-{fingerprint(name)}"
    file = f"{slug(evidence.study.name)}-{slug(short)}.svg"
    save(drawn, build / file)
    return figure(file, hashed(build / file), caption, f"{caption} {told}".strip())


def _told(main: pd.DataFrame, depth: int) -> str:
    """The numbers of a table of members, in words."""
    said = (
        f"{title(row.model, depth)} on {row.encoder}: {points(row.iou)} at {significant(row.parameters, 1e6)} million"
        for row in rows(main)
    )
    return f"{'; '.join(said)}."


def _marks(evidence: Evidence) -> dict[str, Mark]:
    return marks(evidence.study.models)
