"""What was run and what it cannot say, in sentences made from the study."""

from typing import Any

from nestbench.report.blocks import Block, paragraph
from nestbench.report.frames import CELL
from nestbench.report.gather import Evidence
from nestbench.report.names import MINUS, TIMES, counted, listed, shortened, title
from nestbench.report.statistics.words import tests_in_words
from nestbench.study.models import is_outside
from nestbench.study.schema import Recipe, Search, Study
from nestbench.study.space import Span


def methods(evidence: Evidence) -> list[Block]:
    """Data, networks, training, search, selection and statistics, a paragraph each."""
    study = evidence.study
    searched = [paragraph(_search(study.search), "Search")] if study.search else []
    return [
        paragraph(" ".join(_data(evidence, name) for name in evidence.datasets), "Data"),
        paragraph(_networks(study), "Networks"),
        paragraph(_training(study), "Training"),
        *searched,
        paragraph(_runs(evidence), "Runs"),
        paragraph(tests_in_words(study.margin, len(study.models), len(evidence.datasets)), "Statistics"),
    ]


def limits(evidence: Evidence) -> list[Block]:
    """What the numbers cannot say."""
    study, cases = evidence.study, evidence.primary_cases
    seeds = finished_seeds(evidence)
    subjects = cases.groupby("dataset", sort=False)["subject"].nunique()
    tested = listed([f"{count} of {name}" for name, count in subjects.items()])
    tuned = (
        "Only the keys of the search were tuned"
        if study.search
        else "This study searched nothing: all share one recipe"
    )
    samples = (
        f"Each network has finished runs of {seeds}; the test subjects are {tested}. Differences "
        "that are small beside the spread between seeds or subjects need more of both to be seen."
    )
    return [paragraph(samples), paragraph(f"{tuned}. {_OTHER_CHOICES}"), paragraph(_SCORES)]


_AUGMENTED = (
    "augmentation by the eight symmetries of the square, contrast (times 0.75 to 1.33) and brightness (up to 0.3 "
    "standard deviations)"
)

_SCHEDULES = {
    "constant": "constant",
    "cosine": "falling as a cosine to zero at the last epoch",
    "plateau": "falling to a fifth whenever half of the patience below brought no better validation IoU",
}

_OTHER_CHOICES = (
    "Another recipe, depth, block or encoder may order the networks differently. One split of each data set was used: "
    "the tests speak of other subjects and other seeds, not of other training sets."
)

_SCORES = (
    "Where images and masks were resized, the scores are those of the resized masks. A case in which a class is "
    "neither present nor predicted scores 1, one in which it is only predicted or only missed scores 0; with several "
    "classes a case scores their mean. Times hold for the machine on which they were taken, one image at a time."
)


_NAMED = 8
"""Classes that a sentence names."""


def _data(evidence: Evidence, name: str) -> str:
    about, samples = evidence.datasets[name], evidence.samples[name]
    counts = about["counts"]
    cases, subjects = counted(sum(counts.values()), "case"), counted(about["subjects"], "subject")
    return (
        f"{name} ({about['title']}) has {cases} of {subjects}, {_view(about)}, with "
        f"{counted(about['channels'], 'channel')} and the classes {_few(about['classes'])}: "
        f"{counts['train']} for training, {counts['validation']} for validation and {counts['test']} for testing, "
        f"no subject on two sides.{_drawn(about, samples)}{_scale(about)}{_twins(about['twins'])}"
    )


def _drawn(about: dict[str, Any], samples: int | None) -> str:
    """How much an epoch shows, where it is not all, once."""
    if samples is None:
        return ""
    things = ("slices" if about["volumes"] else "images") if about["patch"] is None else "windows"
    again = ", some more than once" if things == "images" and samples > about["counts"]["train"] else ""
    return f" An epoch shows {samples} {things} of the training side{again}, drawn anew, at least half with an object."


def _few(classes: list[str]) -> str:
    """The classes, or the first of many."""
    return listed(classes if len(classes) <= _NAMED else [*classes[:_NAMED], f"{len(classes) - _NAMED} more"])


def _view(about: dict[str, Any]) -> str:
    """How the networks saw a data set."""
    side = about["size"]
    slices = "taken slice by slice, " if about["volumes"] and about["dims"] == 2 else ""
    if about["spacing"]:
        each = about["spacing"] if isinstance(about["spacing"], list) else [about["spacing"]]
        slices = f"resampled to {f' {TIMES} '.join(f'{mm:g}' for mm in each)} mm, {slices}"
    if about["patch"] is None:
        return f"{slices}resized to {side} {TIMES} {side} pixels"
    return f"{slices}seen in windows of {f' {TIMES} '.join([str(side)] * about['dims'])} pixels"


def _scale(about: dict[str, Any]) -> str:
    """How values became what networks take."""
    if about["window"] is None:
        return " Each image was brought to mean 0 and standard deviation 1."
    low, high = about["window"]
    return f" Values from {low:g} to {high:g} were brought to {MINUS}1 to 1, and what lies beyond them too."


def _twins(twins: list[dict[str, Any]]) -> str:
    """The warning of what leaks from one side to another."""
    if not twins:
        return ""
    sides = ("first", "second")
    named = [
        " and ".join(f"{shortened(one[key])} ({side})" for key, side in zip(sides, one["sides"], strict=True))
        for one in twins[:3]
    ]
    more = "" if len(twins) <= 3 else f", and {len(twins) - 3} more pairs"
    return (
        " Beware: images of different subjects on two sides of the split show the same, or nearly, so the test is "
        f"easier than it should be: {'; '.join(named)}{more}."
    )


def _networks(study: Study) -> str:
    names = listed([title(model, study.depth) for model in study.models])
    encoders = f"{'encoder' if len(study.encoders) == 1 else 'encoders'} {listed(list(study.encoders))}"
    return (
        f"{names}; depth {study.depth} unless the name says otherwise; block {study.block}; {encoders}. DS is deep "
        "supervision: a head at every depth, each with the same weight in the loss. A network with several heads is "
        f"judged by its ensemble, the mean of its heads, any other by its one head.{_outside(study)}"
    )


def _outside(study: Study) -> str:
    names = [title(model, study.depth) for model in study.models if is_outside(model)]
    if not names:
        return ""
    own = " Those of monai bring an encoder of their own." if any("monai:" in model for model in study.models) else ""
    is_are, its_their = ("is", "its") if len(names) == 1 else ("are", "their")
    return (
        f" {listed(names)} {is_are} built by the library in brackets, with {its_their} own decoder and {its_their} own "
        f"use of the encoder, and can have no more than one head.{own}"
    )


def _training(study: Study) -> str:
    recipe = study.recipe
    return (
        f"AdamW with learning rate {recipe.learning_rate:g} ({_SCHEDULES[recipe.schedule]}) and weight decay "
        f"{recipe.weight_decay:g}, batches of {recipe.batch}, loss {recipe.loss}, "
        f"{_AUGMENTED if recipe.augment else 'no augmentation'}, {_length(recipe)} {_start(study)} With "
        "the same seed every network had the same order of samples, the same "
        "augmentations and, where the encoder is the same and built here, the same initial encoder weights."
    )


def _length(recipe: Recipe) -> str:
    epochs = counted(recipe.epochs, "epoch")
    if recipe.patience >= recipe.epochs:
        return f"{epochs}; the weights are those of the epoch with the best validation IoU."
    return f"at most {epochs}, stopped after {recipe.patience} without a better validation IoU."


def _start(study: Study) -> str:
    if not study.pretrained:
        return "Weights began random."
    if study.pretrained is True:
        return "Encoders began with their published weights, all else random."
    files = listed([f"{encoder} from {name}" for encoder, name in study.pretrained.items()])
    return f"Weights of encoders began as in files ({files}), all else random."


def _search(search: Search) -> str:
    space = "; ".join(f"{key} {_choices(value)}" for key, value in search.space.items())
    return (
        f"Each network had the same {counted(search.trials, 'trial')} (sampler {search.sampler}, stopper "
        f"{search.stopper}) over {space}. The values with the best validation IoU replaced those above."
    )


def _choices(value: Span | list[Any]) -> str:
    if isinstance(value, Span):
        return f"from {value.low:g} to {value.high:g}{' (logarithmic)' if value.log else ''}"
    return f"one of {listed([str(choice) for choice in value])}"


def _runs(evidence: Evidence) -> str:
    plan = ", ".join(f"{key} {value}" for key, value in evidence.plan.items())
    ended = evidence.done["stopped"].value_counts()
    return (
        f"{finished_seeds(evidence)} of each network, all under one plan of the machine ({plan}). Of {ended.sum()} "
        f"finished runs, {ended.get('patience', 0)} stopped early and {ended.get('epochs', 0)} reached the last epoch. "
        "The weights are those of the epoch with the best validation IoU. The test cases were opened once, by the "
        "finished run."
    )


def finished_seeds(evidence: Evidence) -> str:
    """How many seeds of each network are finished, in words."""
    finished = evidence.done.groupby(CELL).size()
    low, high = int(finished.min()), int(finished.max())
    return counted(high, "seed") if low == high else f"{low} to {high} seeds"
