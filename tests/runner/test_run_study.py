"""A whole tiny study, run once: its events, its files, and what a second start does."""

import errno
import itertools
import json
import os
import sys
import threading

import numpy as np
import pytest

from nestbench.errors import RequestError
from nestbench.machine import Plan
from nestbench.results.places import run_folder
from nestbench.results.predictions import read_every
from nestbench.results.records import read_cases, read_result
from nestbench.results.scores import case_scores
from nestbench.runner.check import check_study
from nestbench.runner.events import Advanced, Failed, Finished, Planned, Preparing, Started, Timing
from nestbench.runner.means import Means
from nestbench.runner.status import study_status
from nestbench.runner.study import noted, open_crew, run_study
from nestbench.runner.timing import ROUNDS
from nestbench.runner.told import told
from nestbench.searches.store import new_store
from nestbench.study.schema import Run, Study

STUDY = Study.model_validate(
    {
        "name": "s",
        "datasets": [{"name": "synthetic", "size": 16, "cases": 24}],
        "encoders": ["plain:2"],
        "models": ["unet", "unet-e"],
        "depth": 2,
        "recipe": {"epochs": 2, "batch": 4},
        "search": {"trials": 2, "space": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}},
        "seeds": 1,
    }
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("study")


def run(place, study=STUDY):
    return list(run_study(study, place / "results", Means(place, place / "cache")))


@pytest.fixture(scope="module")
def events(place):
    return run(place)


def test_a_study_tells_what_it_does_in_order(events):
    kinds = [type(event) for event in events]
    assert kinds.index(Planned) == kinds.count(Preparing) == 24
    planned = events[24]
    assert (len(planned.runs), planned.done, planned.trials) == (2, (), 4)
    assert [type(e) for e in events if not isinstance(e, Preparing | Planned | Timing)] == [
        Started,
        Advanced,
        Advanced,
        Finished,
    ] * 6
    assert [e.done for e in events if isinstance(e, Timing)][-1] == ROUNDS


def test_trials_come_before_the_seeds_of_their_cell(events):
    labels = [event.run.label for event in events if isinstance(event, Started)]
    assert labels == ["trial-000", "trial-001", "seed-0"] * 2


def test_a_search_never_sees_the_test_cases(events):
    for event in events:
        if isinstance(event, Finished):
            assert bool(event.result.scores) == (event.run.trial is None)


def test_every_network_that_can_be_deployed_is_timed(place, events):
    (path,) = (place / "results" / "speed").iterdir()
    rows = json.loads(path.read_text())["rows"]
    assert [(r["model"], r["output"]) for r in rows] == [
        ("unet", "L2"),
        ("unet-e", "L1"),
        ("unet-e", "L2"),
        ("unet-e", "all"),
    ]
    unet, _, pruned, whole = rows
    assert unet == pruned | {"model": "unet"}  # U-Net^e pruned is a U-Net: one network, timed once
    assert whole["parameters"] > pruned["parameters"]
    assert whole["flops"] > pruned["flops"]


def test_the_pictures_are_of_the_best_the_median_and_the_worst_case(place, events):
    overlays = np.load(place / "results" / "synthetic" / "overlays.npz")
    described = json.loads((place / "results" / "synthetic" / "dataset.json").read_text())
    assert [overlays[f"image-{number}"].shape for number in range(3)] == [(16, 16, 1)] * 3
    assert all(overlays[f"mask-{number}"].shape == (16, 16) for number in range(3))
    assert set(overlays["cases"]) <= set(described["split"]["test"])
    scores = [mean_iou_of(place, case) for case in overlays["cases"]]
    assert scores == sorted(scores, reverse=True)


def test_the_masks_of_each_head_are_kept_and_their_pixels_are_those_that_were_counted(place, events):
    for status in study_status(STUDY, place / "results"):
        if status.run.trial is not None:
            continue
        folder = run_folder(place / "results", status.run)
        counts = read_cases(folder)
        counts = counts[counts["split"] == "test"].set_index(["output", "case"])
        cases = list(counts.index.unique("case"))
        every = read_every(folder / "predictions.npz", cases)
        primary = read_result(folder).primary
        assert [name or primary for name in every] == list(counts.index.unique("output"))
        for name, masks in every.items():
            found = counts.loc[name or primary].loc[cases]
            assert [int(mask.sum()) for mask in masks] == (found["tp"] + found["fp"]).tolist()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak")
def test_a_run_says_what_its_training_held(events):
    held = [event.result.memory for event in events if isinstance(event, Finished)]
    assert len(held) == 6
    assert all(isinstance(value, int) and 0 <= value < 2**34 for value in held)
    assert max(held) > 2**20


def test_a_run_says_how_long_its_test_took_and_a_trial_that_it_had_none(events):
    results = [(event.run, event.result) for event in events if isinstance(event, Finished)]
    assert {run.trial is None for run, _ in results} == {True, False}
    for run, result in results:
        assert (result.testing is None) == (run.trial is not None)
        assert run.trial is not None or result.testing > 0


def mean_iou_of(place, case):
    found = []
    for status in study_status(STUDY, place / "results"):
        folder = run_folder(place / "results", status.run)
        if status.run.trial is None:
            scores = case_scores(read_cases(folder))
            rows = scores[(scores["case"] == case) & (scores["output"] == read_result(folder).primary)]
            found.append(rows["iou"].item())
    return np.mean(found)


def test_a_second_start_does_nothing(place, events):
    again = run(place)
    assert [type(event) for event in again] == [Planned]
    assert len(again[0].done) == 2


def test_a_finished_study_needs_no_cluster(place, events, monkeypatch):
    monkeypatch.setattr("nestbench.runner.study.find_cluster", refused)
    again = list(run_study(STUDY, place / "results", Means(place, place / "cache", cluster="here:1")))
    assert [type(event) for event in again] == [Planned]
    more = STUDY.model_copy(update={"seeds": 2})
    with pytest.raises(RequestError, match="no room"):
        next(run_study(more, place / "results", Means(place, place / "cache", cluster="here:1")))


def test_more_seeds_are_added_to_what_is_there(place, events):
    more = STUDY.model_copy(update={"seeds": 2})
    started = [e.run.label for e in run(place, more) if isinstance(e, Started)]
    assert started == ["seed-1", "seed-1"]


def test_other_data_under_old_results_is_refused(place, events):
    (place / "results" / "study.yaml").unlink()  # even where the study's own words do not give it away
    before = contents(place)
    other = STUDY.model_copy(update={"datasets": (STUDY.datasets[0].model_copy(update={"size": 17}),)})
    with pytest.raises(
        RequestError, match="was made with another state of the cell, the seed or the recipe, the data set's content"
    ):
        run(place, other)
    with pytest.raises(RequestError, match="was made with another state of"):
        check_study(other, place / "results", data=place, cache=place / "cache")
    assert contents(place) == before


def test_a_cluster_where_nobody_answers_is_refused_before_the_data_are_looked_at(place, tmp_path, monkeypatch):
    monkeypatch.setattr("nestbench.runner.study.find_cluster", refused)
    events = run_study(STUDY, tmp_path, Means(place, tmp_path / "cache", cluster="here:1"))
    with pytest.raises(RequestError, match="no room"):
        next(events)


def test_a_cluster_that_takes_no_run_is_refused_before_anything_is_written(place, tmp_path, monkeypatch):
    monkeypatch.setattr("nestbench.runner.study.find_cluster", lambda _: "")
    monkeypatch.setattr("nestbench.runner.study.open_cluster", refused)
    with pytest.raises(RequestError, match="no room"):
        list(run_study(STUDY, tmp_path, Means(place, place / "cache", cluster="here:1")))
    assert [path.name for path in tmp_path.rglob("*") if path.suffix in {".yaml", ".json"}] == []


def refused(*_):
    raise RequestError("no room")


def test_a_study_that_began_on_the_processor_is_not_packed_as_on_gpus(tmp_path, monkeypatch):
    monkeypatch.setattr("nestbench.runner.settle.gpus", lambda: ("0", "1"))
    monkeypatch.setattr("nestbench.runner.settle.find_device", lambda asked: "cuda" if asked == "auto" else asked)
    monkeypatch.setattr("nestbench.runner.study.open_workers", lambda count, **_: count)
    assert open_crew(Means(tmp_path, tmp_path, per_gpu=4), Plan("cpu", "float32", "contiguous", 1), tmp_path) == 1


def contents(place):
    files = [path for path in (place / "results").rglob("*") if path.is_file() and path.name != ".lock"]
    return {path: path.read_bytes() for path in files}


def test_a_study_can_be_looked_at_before_it_is_run(place):
    check = check_study(STUDY, place / "other", data=place, cache=place / "cache")
    assert check.runs == 6
    assert check.seconds > 0
    assert [row["model"] for row in check.networks] == ["unet", "unet-e"]
    assert check.datasets[0]["cases"] == 24


def test_why_a_run_failed_is_said_even_where_the_disk_is_full(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("nestbench.results.atomic.sync", full)
    run = Run(cell=next(STUDY.cells()), recipe=STUDY.recipe, seed=0)
    failed = [Failed(run, "why"), Failed(run, "why")]
    assert list(noted(iter(failed), tmp_path, new_store(tmp_path))) == failed


def test_work_ends_when_nobody_listens_any_more():
    began, said = threading.Event(), []

    def work(say):
        for word in itertools.count():
            said.append(word)
            say(word)
            began.set()

    heard = told(work)
    next(heard)
    began.wait()
    heard.close()  # comes back only once the work has ended
    assert said


def test_what_a_function_says_is_heard_as_it_is_said_and_its_error_is_raised():
    def work(say):
        say("one")
        raise RequestError("two")

    heard = told(work)
    assert next(heard) == "one"
    with pytest.raises(RequestError, match="two"):
        next(heard)
