import errno
import os
import re
import shutil
from contextlib import nullcontext
from dataclasses import replace

import pytest

from nestbench import __version__
from nestbench.datasets.splits import Split
from nestbench.errors import RequestError
from nestbench.machine import Plan
from nestbench.results.places import run_folder
from nestbench.results.records import Epoch, Result, read_result, write_epochs, write_result
from nestbench.runner.queue import find_done, open_queues
from nestbench.searches.search import SEARCH_SEED
from nestbench.searches.store import new_store
from nestbench.study.schema import Study
from nestbench.work.job import Job

SPACE = {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "batch": [4, 8], "epochs": {"low": 2, "high": 9}}


def study(**changes):
    content = {"name": "s", "datasets": [{"name": "synthetic"}], "models": ["unet", "unet++"], "seeds": 2}
    return Study.model_validate(content | changes)


def searched(trials=3, **options):
    return study(search={"trials": trials, "space": SPACE} | options)


def job_in(folder, content="content"):
    return lambda run: Job(
        run, folder, content, Split((0,), (1,), (2,)), Plan("cpu", "float32", "contiguous", 1), folder
    )


def result_of(job, validation=0.5, stopped="patience"):
    return Result(job.identity, "L4", validation, 0, 1, stopped, 10, 1.0)


def finish(folder, run, validation=0.5, stopped="patience"):
    """Put a finished run on disk."""
    result = result_of(job_in(folder)(run), validation, stopped)
    run_folder(folder, run).mkdir(parents=True, exist_ok=True)
    write_epochs(run_folder(folder, run), [Epoch(0, 1.0, 1.0, validation, True, 1.0)])
    return write_result(run_folder(folder, run), result)


def opened(folder, asked, content="content"):
    found = find_done(asked, folder, job_in(folder, content))
    done = [run for one in found.values() for run, _ in one.seeds.values()]
    return list(open_queues(asked, folder, found, new_store(folder)).values()), done


def drain(folder, queue, stop_after=None, value=lambda run: run.recipe.learning_rate):
    """Run a queue to its end, or to so many runs; what was run, in order."""
    ran = []
    while (stop_after is None or len(ran) < stop_after) and (run := queue.next()) is not None:
        queue.close(run, finish(folder, run, value(run)))
        ran.append(run)
    return ran


def test_without_a_search_a_cell_is_its_seeds_with_the_studys_recipe(tmp_path):
    queues, done = opened(tmp_path, study())
    assert done == []
    for queue in queues:
        ran = drain(tmp_path, queue)
        assert [run.seed for run in ran] == [0, 1]
        assert {run.recipe for run in ran} == {study().recipe}


def test_what_is_finished_is_not_run_again(tmp_path):
    first, _ = opened(tmp_path, study())[0]
    drain(tmp_path, first, stop_after=1)
    (first, second), done = opened(tmp_path, study())
    assert [run.seed for run in done] == [0]
    assert [run.seed for run in drain(tmp_path, first)] == [1]
    assert len(drain(tmp_path, second)) == 2
    assert all(queue.next() is None for queue in opened(tmp_path, study())[0])


def test_every_cell_gets_as_many_trials_and_its_seeds_the_best_of_them(tmp_path):
    for queue in opened(tmp_path, searched(4))[0]:
        ran = drain(tmp_path, queue)
        trials, seeds = ran[:4], ran[4:]
        assert [run.trial for run in trials] == [0, 1, 2, 3]
        assert {run.seed for run in trials} == {SEARCH_SEED}
        assert [run.trial for run in seeds] == [None, None]
        best = max(trials, key=lambda run: run.recipe.learning_rate)
        assert {run.recipe for run in seeds} == {best.recipe}
        assert all(1e-4 <= run.recipe.learning_rate <= 1e-1 for run in trials)
        assert all(run.recipe.batch in (4, 8) and 2 <= run.recipe.epochs <= 9 for run in trials)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
@pytest.mark.parametrize("stop", [1, 2, 4])
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path, sampler, stop):
    asked = searched(5, sampler=sampler)
    whole = drain(tmp_path / "whole", opened_first(tmp_path / "whole", asked))
    begun = drain(tmp_path / "parts", opened_first(tmp_path / "parts", asked), stop_after=stop)
    rest = drain(tmp_path / "parts", opened_first(tmp_path / "parts", asked))
    assert begun + rest == whole


def opened_first(folder, asked):
    folder.mkdir(exist_ok=True)
    return opened(folder, asked)[0][0]


def test_a_lost_or_damaged_store_is_made_again_from_the_results(tmp_path):
    drain(tmp_path, opened_first(tmp_path, searched()), stop_after=2)
    (tmp_path / "optuna.db").write_bytes(b"damaged")
    queue = opened_first(tmp_path, searched())
    assert [run.label for run in drain(tmp_path, queue)] == ["trial-002", "seed-0", "seed-1"]


def test_a_stopped_trial_is_kept_but_its_recipe_never_chosen(tmp_path):
    queue = opened_first(tmp_path, searched(2))
    first = queue.next()
    queue.close(first, finish(tmp_path, first, validation=0.9, stopped="stopper"))
    second = queue.next()
    queue.close(second, finish(tmp_path, second, validation=0.1))
    assert queue.next().recipe == second.recipe
    again = opened_first(tmp_path, searched(2))
    assert again.next().recipe == second.recipe


def test_seeds_wait_for_the_last_trial(tmp_path):
    queue = opened_first(tmp_path, searched(2))
    first, second = queue.next(), queue.next()
    assert queue.next() is None
    queue.close(first, result_of(job_in(tmp_path)(first)))
    assert queue.next() is None
    queue.close(second, result_of(job_in(tmp_path)(second)))
    assert queue.next().trial is None


def test_where_every_trial_failed_the_seeds_cannot_start(tmp_path):
    queue = opened_first(tmp_path, searched(1))
    assert list(queue.hopeless()) == []
    queue.close(queue.next(), None)
    assert queue.next() is None
    assert [run.seed for run in queue.hopeless()] == [0, 1]
    assert list(queue.hopeless()) == []


def test_the_median_stopper_ends_a_trial_far_below_the_others(tmp_path):
    queue = opened_first(tmp_path, searched(8, stopper="median"))
    for _ in range(6):
        run = queue.next()
        assert not any(queue.advance(run, Epoch(i, 1.0, 1.0, 0.8, True, 1.0)) for i in range(20))
        queue.close(run, result_of(job_in(tmp_path)(run), 0.8))
    bad = queue.next()
    assert any(queue.advance(bad, Epoch(i, 1.0, 1.0, 0.1, True, 1.0)) for i in range(20))


def test_a_full_disk_does_not_stop_the_queues(tmp_path, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    queue = opened_first(tmp_path, searched(1))
    monkeypatch.setattr("nestbench.results.atomic.sync", full)
    run = queue.next()
    queue.close(run, result_of(job_in(tmp_path)(run)))
    assert queue.next().trial is None


def test_a_reported_seed_is_never_stopped(tmp_path):
    queue = opened_first(tmp_path, searched(1, stopper="hyperband"))
    drain(tmp_path, queue, stop_after=1)
    seed = queue.next()
    assert not any(queue.advance(seed, Epoch(i, 1.0, 1.0, 0.0, False, 1.0)) for i in range(60))


def test_a_result_made_by_another_recipe_is_refused(tmp_path):
    drain(tmp_path, opened_first(tmp_path, study()), stop_after=1)
    with pytest.raises(RequestError, match="made with another state of the cell, the seed or the recipe;"):
        opened(tmp_path, study(recipe={"batch": 3}))


def test_a_result_made_from_other_data_is_refused(tmp_path):
    drain(tmp_path, opened_first(tmp_path, study()), stop_after=1)
    with pytest.raises(RequestError, match="made with another state of the data set's content"):
        opened(tmp_path, study(), content="other")


def test_what_writers_that_were_killed_left_beside_results_is_swept_away(tmp_path):
    (run,) = drain(tmp_path, opened_first(tmp_path, study()), stop_after=1)
    place = run_folder(tmp_path, run)
    before = set(place.iterdir())
    for left in (place / "checkpoint.safetensors", place / "running.json", place.parent / ".importance.json.x"):
        left.touch()
    opened(tmp_path, study())
    assert set(place.iterdir()) == before
    assert list(place.parent.iterdir()) == [place]


@pytest.mark.parametrize(("version", "good"), [("{0}.{1}.99", True), ("{0}.99.0", False), ("99.{1}.0", False)])
def test_a_result_of_another_minor_version_is_refused(tmp_path, version, good):
    maker = version.format(*__version__.split("."))
    (run,) = drain(tmp_path, opened_first(tmp_path, study()), stop_after=1)
    place = run_folder(tmp_path, run)
    write_result(place, replace(read_result(place), environment={"nestbench": maker}))
    said = f"seed-0 was made with nestbench {maker}, and this is {__version__}"
    with nullcontext() if good else pytest.raises(RequestError, match=re.escape(said)):
        opened(tmp_path, study())


def test_weights_of_another_run_are_refused(tmp_path):
    (run,) = drain(tmp_path, opened_first(tmp_path, study()), stop_after=1)
    place = run_folder(tmp_path, run)
    (place / "weights.safetensors").write_text("its own")
    write_result(place, read_result(place))
    opened(tmp_path, study())
    (place / "weights.safetensors").write_text("another's")
    with pytest.raises(RequestError, match=r"weights\.safetensors': it was changed after its run was done"):
        opened(tmp_path, study())


def test_a_result_whose_run_cannot_be_read_is_named(tmp_path):
    (run,) = drain(tmp_path, opened_first(tmp_path, study()), stop_after=1)
    place = run_folder(tmp_path, run)
    write_result(place, replace(read_result(place), identity={}))
    with pytest.raises(RequestError, match=r"cannot read '.*result\.json': it has no 'run'"):
        opened(tmp_path, study())


def test_a_result_copied_to_another_seeds_place_is_refused(tmp_path):
    queue = opened_first(tmp_path, study())
    (first,) = drain(tmp_path, queue, stop_after=1)
    shutil.copytree(run_folder(tmp_path, first), run_folder(tmp_path, queue.next()))
    with pytest.raises(RequestError, match="seed-1 was made with another state of the cell, the seed or the recipe;"):
        opened(tmp_path, study())


def test_a_trial_that_failed_is_not_tried_again_once_a_seed_is_finished(tmp_path):
    queue = opened_first(tmp_path, searched(2))
    queue.close(queue.next(), None)
    trial, seed = drain(tmp_path, queue, stop_after=2)
    assert (trial.trial, seed.trial) == (1, None)
    (other,) = drain(tmp_path, opened_first(tmp_path, searched(2)))
    assert (other.seed, other.recipe) == (1, seed.recipe)


def test_choices_that_yaml_reads_as_text_are_numbers_and_survive_a_restart(tmp_path):
    asked = study(search={"trials": 2, "space": {"learning_rate": ["1e-3", "1e-2"]}})
    ran = drain(tmp_path, opened_first(tmp_path, asked), stop_after=1)
    assert ran[0].recipe.learning_rate in (1e-3, 1e-2)
    assert len(drain(tmp_path, opened_first(tmp_path, asked))) == 3
