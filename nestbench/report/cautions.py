"""What a reader must know before believing a number: what is unfinished, few, empty, or was done otherwise."""

from collections.abc import Iterator

from nestbench.report.blocks import Block, paragraph
from nestbench.report.frames import CELL, groups, rows
from nestbench.report.gather import Evidence
from nestbench.report.names import counted, listed, title
from nestbench.report.statistics.crossed import FEWEST_SEEDS

FEW_SEEDS, FEW_SUBJECTS = 5, 20
"""Below these a mean over seeds, or over test subjects, says little of another seed or subject."""


def half_done(evidence: Evidence) -> str:
    """That the study is not finished, for the first page; nothing where it is."""
    states = evidence.runs["state"].value_counts()
    total, done, failed = len(evidence.runs), int(states.get("done", 0)), int(states.get("failed", 0))
    if done == total:
        return ""
    waiting = total - done - failed
    parts = [f"{failed} failed"] * bool(failed) + [f"{waiting} have no result yet"] * bool(waiting)
    absent = sorted(set(evidence.runs[CELL].agg(" / ".join, axis=1)) - set(evidence.done[CELL].agg(" / ".join, axis=1)))
    missing = f" {counted(len(absent), 'network')} of the study, by data set and encoder, cannot be judged at all."
    return (
        f"Not finished: {done} of {total} runs are done, {' and '.join(parts)}. Every number below may "
        f"change.{missing if absent else ''}"
    )


def cautions(evidence: Evidence) -> list[Block]:
    """Paragraphs for the limits, each only where it is true of this study."""
    said = (*_few(evidence), *_empty(evidence), *_uneven(evidence), *_in_parts(evidence))
    return [paragraph(text) for text in said]


def _few(evidence: Evidence) -> Iterator[str]:
    seeds = int(evidence.done.groupby(CELL).size().min())
    if seeds < FEWEST_SEEDS:
        yield (
            f"Few seeds: {seeds}. With fewer than three no test of a network is made: one says nothing of the spread "
            "between seeds, and in simulated studies of two the tests do not surely keep to 5 %."
        )
    elif seeds < FEW_SEEDS:
        yield f"Few seeds: {seeds}. Other seeds may order close networks differently."
    subjects = evidence.primary_cases.groupby("dataset", sort=False)["subject"].nunique()
    few = [f"{count} of {name}" for name, count in subjects.items() if count < FEW_SUBJECTS]
    if few:
        yield f"Few test subjects: {listed(few)}. They stand for many others, and any one of them weighs much."


def _empty(evidence: Evidence) -> Iterator[str]:
    for name, (empty, count) in evidence.empty.items():
        if empty:
            yield (
                f"{empty} of the {counted(count, 'test case')} of {name} show no object at all: such a case scores 1 "
                "where nothing is found in it, and else 0."
            )


def _uneven(evidence: Evidence) -> Iterator[str]:
    """Runs that were not tested on every case that others of their data set were."""
    judged = evidence.primary_cases
    for name, own in groups(judged, "dataset"):
        counts = own.groupby([*CELL, "seed"], sort=False)["case"].nunique()
        whole = own["case"].nunique()
        if (counts < whole).any():
            short = [
                f"{title(str(key[2]), evidence.study.depth)} with {key[1]}" for key in counts[counts < whole].index
            ]
            yield (
                f"Not every run was tested on all {whole} cases of {name} ({listed(list(dict.fromkeys(short)))}): "
                "means are over the cases that a run has, comparisons over those that both have."
            )


def _in_parts(evidence: Evidence) -> Iterator[str]:
    split = evidence.done[evidence.done["parts"] > 1]
    cells = split.groupby(CELL, sort=False, as_index=False).agg(parts=("parts", "max"))
    if len(cells):
        named = [
            f"{title(row.model, evidence.study.depth)} on {row.dataset} with {row.encoder} ({row.parts:.0f} parts)"
            for row in rows(cells)
        ]
        yield (
            f"A batch did not fit in memory as a whole, and went through in parts, for {listed(named)}: batch "
            "normalisation saw a part at a time there, which other networks of this report did not have to."
        )
