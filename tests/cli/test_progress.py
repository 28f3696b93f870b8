from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestbench.cli.progress import Board, Training, fold, run_left, time_left
from nestbench.datasets.twins import Twins
from nestbench.results.records import Epoch, Result
from nestbench.runner.events import Advanced, Event, Failed, Finished, Planned, Preparing, Started, Timing, Twinned
from nestbench.study.data import DatasetSpec
from nestbench.study.schema import Recipe, Run, Study

MakeEpoch = Callable[[int, float], Epoch]
MakeResult = Callable[..., Result]


def after(*events: tuple[float, Event]) -> Board:
    board = Board()
    for now, event in events:
        board = fold(board, event, now)
    return board


def test_a_run_is_planned_then_trained_then_done(runs: list[Run], epoch: MakeEpoch, result: MakeResult) -> None:
    start = [(0.0, Planned(tuple(runs), (), 0)), (1.0, Started(runs[0]))]
    assert [t.run for t in after(*start).training] == [runs[0]]
    board = after(*start, (3.0, Advanced(runs[0], epoch(0, 0.5), 60)), (5.0, Finished(runs[0], result())))
    assert (board.training, board.done, board.ended, board.total) == ((), (runs[0],), 1, 4)


def test_twins_are_no_step_of_the_work(runs: list[Run]) -> None:
    planned: list[tuple[float, Event]] = [(0.0, Planned(tuple(runs), (), 0))]
    assert after(*planned, (1.0, Twinned("synthetic", Twins((), 0)))) == after(*planned)


def test_a_failed_run_has_ended_and_keeps_its_reason(runs: list[Run]) -> None:
    board = after((0, Planned(tuple(runs), (), 0)), (1, Started(runs[0])), (2, Failed(runs[0], "why")))
    assert (board.failed, board.ended, board.training) == (((runs[0], "why"),), 1, ())


def test_runs_that_were_done_before_count_whether_they_are_planned_again_or_not(runs: list[Run]) -> None:
    once = after((0, Planned(tuple(runs[1:]), (runs[0],), 0)))
    again = after((0, Planned(tuple(runs), (runs[0],), 0)))
    assert (once.total, once.ended) == (again.total, again.ended) == (4, 1)


def test_the_best_epoch_is_kept_and_only_its_own_run_advances(runs: list[Run], epoch: MakeEpoch) -> None:
    board = after(
        (0, Started(runs[0])),
        (0, Started(runs[1])),
        (1, Advanced(runs[0], epoch(0, 0.7), 60)),
        (2, Advanced(runs[0], epoch(1, 0.6), 60)),
    )
    first, second = board.training
    assert (first.best, first.epoch, second.epoch) == (0.7, epoch(1, 0.6), None)


def test_a_cell_is_done_when_all_its_runs_have_ended(runs: list[Run], result: MakeResult) -> None:
    board = after((0, Planned(tuple(runs), (), 0)), (1, Finished(runs[0], result())))
    assert board.cells == (0, 2)
    assert fold(board, Failed(runs[1], "why"), 2).cells == (1, 2)


def test_a_run_whose_recipe_a_search_found_is_the_run_that_was_planned(runs: list[Run], result: MakeResult) -> None:
    found = [run.model_copy(update={"recipe": Recipe(learning_rate=0.01)}) for run in runs[:2]]
    board = after((0, Planned(tuple(runs), (), 0)), *((1, Finished(run, result())) for run in found))
    assert board.cells == (1, 2)


def test_trials_are_counted_with_the_runs(runs: list[Run]) -> None:
    assert after((0, Planned(tuple(runs), (), 6))).total == 10


@pytest.mark.parametrize("event", [Preparing, Timing])
def test_what_is_done_aside_is_told_until_it_is_over(event: Callable[..., Event]) -> None:
    arguments = ("nuclei",) if event is Preparing else ()
    half = after((0, event(*arguments, 3, 6)))
    assert "3 of 6" in half.aside
    assert fold(half, event(*arguments, 6, 6), 1).aside == ""


def test_time_left_is_unknown_before_the_first_epoch(runs: list[Run]) -> None:
    assert time_left(after((0, Planned(tuple(runs), (), 0)), (1, Started(runs[0]))), 2) is None


def test_before_a_run_has_finished_its_epochs_tell_the_time_left(runs: list[Run], epoch: MakeEpoch) -> None:
    board = after((0, Planned(tuple(runs), (), 0)), (0, Started(runs[0])), (2, Advanced(runs[0], epoch(0, 0.5), 10)))
    assert time_left(board, 2) == pytest.approx(18 + 3 * 20)


def test_finished_runs_tell_the_time_left_better_than_epochs(
    runs: list[Run], epoch: MakeEpoch, result: MakeResult
) -> None:
    board = after(
        (0, Planned(tuple(runs), (), 0)),
        (0, Finished(runs[0], result(seconds=6.0))),
        (6, Started(runs[1])),
        (8, Advanced(runs[1], epoch(0, 0.5), 10)),
    )
    assert time_left(board, 8) == pytest.approx(4 + 2 * 6)


def test_two_workers_halve_the_time_left(runs: list[Run], epoch: MakeEpoch) -> None:
    start: list[tuple[float, Event]] = [(0, Planned(tuple(runs), (), 0))]
    for run in runs[:2]:
        start += [(0, Started(run)), (2, Advanced(run, epoch(0, 0.5), 10))]
    assert time_left(after(*start), 2) == pytest.approx((2 * 18 + 2 * 20) / 2)


@given(st.floats(0, 1e6))
def test_time_left_is_never_negative(now: float) -> None:
    study = Study(name="s", datasets=(DatasetSpec(name="synthetic"),), seeds=1)
    run = Run(cell=next(study.cells()), recipe=study.recipe, seed=0)
    training = Training(run, 0.0, 10, Epoch(0, 0.5, 0.5, 0.5, True, 2.0))
    left = run_left(Board(runs=(run,), training=(training,)), training, now)
    assert left is not None
    assert left >= 0
