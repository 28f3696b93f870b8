"""A tiny study of objects, run once: what it writes, what a second start does, and what it refuses."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from nestbench.datasets.feed import feed
from nestbench.errors import RequestError
from nestbench.find import LEASTS
from nestbench.instances.separate import METHODS, Separation, candidates
from nestbench.model.files import read_use
from nestbench.report.pictures import read_overlay
from nestbench.results.instance_tables import read_instances
from nestbench.results.places import run_folder
from nestbench.results.predictions import read_predictions
from nestbench.results.records import read_result
from nestbench.runner.check import check_study
from nestbench.runner.events import Finished, Planned, Started
from nestbench.runner.means import Means
from nestbench.runner.study import run_study
from nestbench.speed.networks import Timing as Taken
from nestbench.study.schema import Study


def study(**changes):
    content = {
        "name": "s",
        "task": "instance",
        "datasets": [{"name": "synthetic", "size": 32, "cases": 12}],
        "encoders": ["plain:2"],
        "models": ["maskrcnn++", "unet"],
        "depth": 3,
        "recipe": {"epochs": 1, "batch": 4},
        "seeds": 1,
    }
    return Study.model_validate(content | changes)


def run(place, asked):
    return list(run_study(asked, place / "results", Means(place, place / "cache")))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("objects")


@pytest.fixture(scope="module")
def results(place):
    finished = [event for event in run(place, study()) if isinstance(event, Finished)]
    return {event.run.cell.model: (run_folder(place / "results", event.run), event.result) for event in finished}


def test_all_rows_stand_in_the_same_tables(place, results):
    described = json.loads((place / "results" / "synthetic" / "dataset.json").read_text())
    outputs = {"maskrcnn++": {"masks"}, "unet": {"components", "watershed"}}
    assert results.keys() == outputs.keys()
    for model, (folder, result) in results.items():
        assert result.scores.keys() == outputs[model]
        assert result.primary == sorted(outputs[model])[-1]
        assert {"score", "pq", "aji", "iou", "dice", "ap", "ap50", "ap75"} == result.scores[result.primary].keys()
        counts = read_instances(folder)
        for split in ("validation", "test"):
            own = counts.of(split).cases
            assert sorted(own["case"]) == sorted(described["split"][split] * len(outputs[model]))


def test_what_was_chosen_on_validation_is_written_down_and_what_is_timed(place, results):
    ways = {model: result.chosen for model, (_, result) in results.items()}
    assert ways["maskrcnn++"]["masks"]["least"] in LEASTS
    assert {output: Separation(**way).method for output, way in ways["unet"].items()} == {n: n for n in METHODS}
    assert Separation(**ways["unet"]["watershed"]) in candidates("watershed")
    assert ways == {model: read_result(folder).chosen for model, (folder, _) in results.items()}


def test_new_images_are_told_apart_as_the_run_chose_it(results):
    for model, output in (("maskrcnn++", "masks"), ("unet", "watershed")):
        folder, result = results[model]
        assert asdict(read_use(folder / "weights.safetensors").apart) == result.chosen[output]


def test_time_is_of_what_was_chosen_and_no_more_pictures_are_loaded_than_rounds_take(place, results, monkeypatch):
    (path,) = (place / "results" / "speed").iterdir()
    before, fed, timed = path.read_bytes(), [], []

    def counted(*arguments, **options):
        fed.append(arguments)
        return feed(*arguments, **options)

    def measured(found, *_):
        timed.extend(asdict(way) for _, way in found)
        return [Taken(1.0, 1.0, 1.0)] * len(found)

    for name, value in (("ROUNDS", 1), ("feed", counted), ("measure_objects", measured)):
        monkeypatch.setattr(f"nestbench.runner.timing.{name}", value)
    path.unlink()
    run(place, study())
    path.write_bytes(before)
    assert len(fed) == 1
    assert timed == [way for model in ("maskrcnn++", "unet") for way in results[model][1].chosen.values()]


def test_what_was_predicted_is_a_map_of_objects(place, results):
    described = json.loads((place / "results" / "synthetic" / "dataset.json").read_text())
    for folder, result in results.values():
        cases = described["split"]["test"]
        labels = read_predictions(folder / "predictions.npz", cases)
        counts = read_instances(folder).of("test").cases
        for case, one in zip(cases, labels, strict=True):
            row = counts[(counts["case"] == case) & (counts["output"] == result.primary)]
            assert one.dtype == np.int32
            assert one.shape == (1, 32, 32)
            assert (one > 0).sum() == row["tp"].item() + row["fp"].item()


def test_the_report_shows_the_true_objects_one_by_one(place, results):
    overlay = read_overlay(place / "results" / "synthetic" / "overlays.npz")
    folder, _ = results["maskrcnn++"]
    counts = read_instances(folder).of("test").cases.set_index("case")["true"]
    assert [len(np.unique(mask)) - 1 for mask in overlay.masks] == counts[list(overlay.cases)].tolist()
    assert counts.max() > 1


def test_every_way_to_objects_is_timed(place, results):
    (path,) = (place / "results" / "speed").iterdir()
    rows = json.loads(path.read_text())["rows"]
    names = [(row["model"], row["output"]) for row in rows]
    assert names == [("maskrcnn++", "masks"), ("unet", "components"), ("unet", "watershed")]
    assert all(row["flops"] > 0 and row["q25_ms"] <= row["median_ms"] <= row["q75_ms"] for row in rows)


def test_a_second_start_has_nothing_to_do(place, results):
    events = run(place, study())
    assert [type(event) for event in events] == [Planned]
    assert len(events[0].done) == 2


def test_a_result_that_is_lost_is_made_again_the_same(place, results):
    folder, before = results["maskrcnn++"]
    (folder / "result.json").unlink()
    events = run(place, study())
    assert [event.run.cell.model for event in events if isinstance(event, Started)] == ["maskrcnn++"]
    assert read_result(folder).scores == before.scores


def test_the_results_of_one_task_are_not_taken_for_those_of_another(place, results):
    with pytest.raises(RequestError, match="task was 'instance' and is now 'semantic'"):
        run(place, study(task="semantic", models=["unet"]))


def test_what_was_run_before_there_were_tasks_is_what_it_was():
    (cell,) = study(task="semantic", models=["unet"]).cells()
    (other,) = study(models=["unet"]).cells()
    assert "task" not in cell.model_dump(mode="json")
    assert other.model_dump(mode="json")["task"] == "instance"


def test_a_check_times_every_network(place):
    checked = check_study(study(), place / "elsewhere", data=place, cache=place / "cache")
    assert [row["model"] for row in checked.networks] == ["maskrcnn++", "unet"]
    assert all(row["epoch_seconds"] > 0 for row in checked.networks)


def test_a_search_goes_by_the_score_on_the_validation_side(place):
    asked = study(name="searched", models=["maskrcnn"], search={"trials": 2, "space": {"learning_rate": [1e-3, 1e-4]}})
    events = list(run_study(asked, place / "searched", Means(place, place / "cache")))
    labels = [event.run.label for event in events if isinstance(event, Finished)]
    assert labels == ["trial-000", "trial-001", "seed-0"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"datasets": [{"name": "folder", "path": "flat", "size": 32}]},
            "'folder' does not tell objects apart",
        ),
        (
            {"datasets": [{"name": "folder", "path": "bare", "size": 32, "instances": True}]},
            "data set 'folder' has no object in its . training cases, so task 'instance' cannot be learnt on it",
        ),
        ({"models": ["maskrcnn:1"]}, "depth 1 is too small for Mask R-CNN: its pyramid takes 2 or more"),
        ({"models": ["maskrcnn++:2"]}, "depth 2 is too small for Mask R-CNN with nested skips: its pyramid takes 3 or"),
        (
            {"datasets": [{"name": "synthetic", "patch": 32, "dims": 3}]},
            "holds pictures: they cannot be seen",
        ),
    ],
)
def test_what_no_study_of_objects_can_be_is_refused_before_training(tmp_path, save, changes, said):
    for number in range(6):
        picture = np.random.default_rng(number).integers(0, 255, (32, 32), dtype=np.uint8)
        save(tmp_path / "flat" / "images" / f"{number}.png", picture)
        save(tmp_path / "flat" / "masks" / f"{number}.png", np.where(picture > 99, 255, 0).astype(np.uint8))
        save(tmp_path / "bare" / "images" / f"{number}.png", picture)
        save(tmp_path / "bare" / "masks" / f"{number}.png", np.zeros_like(picture))
    with pytest.raises(RequestError, match=said):
        run(tmp_path, study(**changes))
    assert not list(tmp_path.glob("results/**/run.log"))
