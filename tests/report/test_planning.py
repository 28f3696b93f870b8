from collections.abc import Callable
from pathlib import Path

import pytest
from fake_numbers import Fake
from fake_results import write_fake

from nestbench.errors import RequestError
from nestbench.report.chapters import make_tables
from nestbench.report.gather import gather
from nestbench.report.planning import Pilot, make_plan, read_pilot
from nestbench.report.statistics.power import power
from nestbench.study.files import read_study
from nestbench.study.schema import Study

MakePilot = Callable[..., tuple[Study, Pilot]]


@pytest.fixture
def make_pilot(tmp_path: Path) -> MakePilot:
    """Writes fake results with the given changes and reads them as a pilot."""

    def make(**changes: object) -> tuple[Study, Pilot]:
        folder = write_fake(tmp_path, Fake(**({"models": ("unet", "unet++ds"), "cases": 12, "speed": False} | changes)))  # type: ignore[arg-type]
        study = read_study(folder / "study.yaml")
        return study, read_pilot(study, folder)

    return make


def test_a_pilot_is_the_primary_output_of_every_finished_run(make_pilot: MakePilot) -> None:
    _, pilot = make_pilot(failed=("unet/seed-1",))
    assert pilot.cases.groupby(["model", "seed"]).size().to_dict() == {
        ("unet", 0): 12,
        ("unet", 2): 12,
        ("unet++ds", 0): 12,
        ("unet++ds", 1): 12,
        ("unet++ds", 2): 12,
    }
    assert set(pilot.cases["output"]) == {"L4", "ensemble"}
    assert pilot.seconds["seconds"].tolist() == [300.0 + 12.0] * 5  # training and test


def test_what_is_planned_has_the_power_that_was_asked_for_and_one_seed_less_has_not(make_pilot: MakePilot) -> None:
    study, pilot = make_pilot()
    plan = make_plan(study, pilot, [0.01], 0.8)
    (need,), (key,) = plan.needs, plan.variations
    found = plan.variations[key]
    assert need.seeds is not None
    assert power(found, need.seeds, 12, 0.01, 1) >= 0.8
    assert need.seeds == 3 or power(found, need.seeds - 1, 12, 0.01, 1) < 0.8
    assert need.power == power(found, 3, 12, 0.01, 1)


def test_hours_are_those_of_every_member_and_seed(make_pilot: MakePilot) -> None:
    study, pilot = make_pilot()
    hours = pilot.seconds["model"].map({"unet": 1, "unet++ds": 2})
    slow = Pilot(pilot.cases, pilot.seconds.assign(seconds=3600.0 * hours))
    more = study.model_copy(update={"models": ("unet", "unet++ds", "unet+")})
    (need,) = make_plan(more, slow, [0.03], 0.5).needs
    assert need.seeds is not None
    assert need.hours == pytest.approx(need.seeds * (1 + 2 + 1.5))


def test_more_comparisons_need_more_seeds(make_pilot: MakePilot) -> None:
    study, pilot = make_pilot()
    more = study.model_copy(update={"models": ("unet", "unet++ds", "unet+", "unet++", "unet-e", "wide-unet")})
    few, many = (make_plan(one, pilot, [0.01], 0.8) for one in (study, more))
    assert (few.comparisons, many.comparisons) == (1, 15)
    assert (many.needs[0].seeds or 101) > (few.needs[0].seeds or 101)


def test_as_many_comparisons_are_planned_as_the_report_corrects_for(make_pilot: MakePilot, tmp_path: Path) -> None:
    models = ("unet", "unet:2", "unet++ds", "unet++ds:2", "unet++:2", "smp:Unet")
    study, pilot = make_pilot(models=models, datasets=("nuclei", "other"))
    numbers = make_tables(gather(tmp_path / study.name))
    made = len(numbers["comparisons"]) + len(numbers["isolated"])
    assert made > 2 * 15
    assert make_plan(study, pilot, [0.01], 0.8).comparisons == made


def test_what_the_pilot_lacks_is_named(make_pilot: MakePilot) -> None:
    study, pilot = make_pilot(datasets=("nuclei", "other"))
    without = Pilot(pilot.cases[pilot.cases["dataset"] == "other"], pilot.seconds)
    assert make_plan(study, without, [0.01], 0.8).skipped == (("nuclei", "timm:resnet18"),)
    assert make_plan(study, pilot, [0.01], 0.8).skipped == ()


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_study_of_fewer_than_three_seeds_shows_nothing(make_pilot: MakePilot, seeds: int) -> None:
    study, pilot = make_pilot()
    (need,) = make_plan(study.model_copy(update={"seeds": seeds}), pilot, [0.9], 0.8).needs
    assert (need.power, need.seeds, need.subjects) == (0.0, 3, None)


def test_each_data_set_and_encoder_has_needs_of_its_own(make_pilot: MakePilot) -> None:
    study, pilot = make_pilot(datasets=("nuclei", "other"))
    plan = make_plan(study, pilot, [0.01, 0.02], 0.8)
    assert [(need.dataset, need.difference) for need in plan.needs] == [
        ("nuclei", 0.01),
        ("nuclei", 0.02),
        ("other", 0.01),
        ("other", 0.02),
    ]
    assert plan.comparisons == 2


def test_a_difference_that_nothing_shows_needs_no_number_at_all(make_pilot: MakePilot) -> None:
    study, pilot = make_pilot(cases=4)
    (need,) = make_plan(study, pilot, [1e-6], 0.8).needs
    assert (need.seeds, need.hours, need.subjects) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": 1}, "the pilot has one seed"),
        ({"models": ("unet",)}, "the pilot has one network"),
        ({"cases": 4, "cases_a_subject": 4}, "no two networks of the pilot"),
        ({"failed": ("unet", "unet++ds")}, "no run of the study 'fake-nuclei' in"),
    ],
)
def test_a_pilot_that_says_nothing_is_refused(make_pilot: MakePilot, changes: dict[str, object], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        make_plan(*make_pilot(**changes), [0.01], 0.8)
