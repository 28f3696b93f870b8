import io
from collections.abc import Callable

import pytest
from rich.console import Console

from nestbench.cli.display import draw, follow, tell, tell_detail
from nestbench.cli.progress import Board, Training
from nestbench.datasets.twins import Twin, Twins
from nestbench.results.records import Epoch, Result
from nestbench.runner.events import Advanced, Event, Failed, Finished, Planned, Preparing, Started, Timing, Twinned
from nestbench.study.schema import Run

MakeEpoch = Callable[[int, float], Epoch]
MakeResult = Callable[..., Result]


@pytest.fixture
def events(runs: list[Run], epoch: MakeEpoch, result: MakeResult) -> list[Event]:
    return [
        Preparing("synthetic", 4, 8),
        Preparing("synthetic", 8, 8),
        Planned(tuple(runs[1:]), (runs[0],), 0),
        Started(runs[1]),
        *(Advanced(runs[1], epoch(i, 0.5 + i / 100), 60) for i in range(6)),
        Finished(runs[1], result()),
        Started(runs[2]),
        Failed(runs[2], "the loss is [not] finite"),
        Timing(1, 2),
        Timing(2, 2),
    ]


def said(events: list[Event], terminal: bool, width: int = 120) -> tuple[str, Board]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, color_system=None)
    board = follow(events, console, clock=lambda: 0.0)
    return out.getvalue(), board


def test_without_a_terminal_every_event_worth_it_is_one_plain_line(events: list[Event]) -> None:
    text, board = said(events, terminal=False, width=40)
    assert text.splitlines() == [
        "prepared synthetic: 8 cases",
        "2 cells: 3 runs to do, 1 done already",
        "started synthetic / plain:4 / unet / seed-1",
        "synthetic / plain:4 / unet / seed-1: epoch 5 of at most 60, validation IoU 0.540",
        "finished synthetic / plain:4 / unet / seed-1: validation IoU 0.800, 7 epochs, 30 s",
        "started synthetic / plain:4 / unet++ds / seed-0",
        "failed synthetic / plain:4 / unet++ds / seed-0: the loss is [not] finite",
        "timed every network",
    ]
    assert len(board.failed) == 1


def test_on_a_terminal_what_has_ended_stays_and_epochs_do_not(events: list[Event]) -> None:
    text, board = said(events, terminal=True)
    assert "finished synthetic / plain:4 / unet / seed-1" in text
    assert "epoch 5 of at most" not in text
    assert len(board.done) == 2


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_display_fits_its_width_and_shows_what_counts(
    width: int, runs: list[Run], epoch: MakeEpoch, result: MakeResult
) -> None:
    training = Training(runs[1], since=0.0, at_most=60, epoch=epoch(4, 0.654), best=0.66)
    board = Board(runs=tuple(runs), done=(runs[0],), training=(training, Training(runs[2], 9.0)), aside="preparing")
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(draw(board, 10.0))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    for words in ("1/4 runs", "0/2 cells", "left", "5/60", "0.654", "0.660", "preparing"):
        assert words in out.getvalue()


def test_a_search_is_announced(runs: list[Run]) -> None:
    assert tell(Planned(tuple(runs), (), 12)) == "2 cells: 4 runs to do, 12 search trials, 0 done already"


def test_no_event_is_told_twice(events: list[Event]) -> None:
    assert not [event for event in events if tell(event) and tell_detail(event)]


def test_twins_are_named_with_their_sides_before_training() -> None:
    alike = Twin("a", "b", ("train", "test"), 0.973, identical=False)
    same = Twin("c", "d", ("validation", "test"), 1.0, identical=True)
    assert tell(Twinned("nuclei", Twins((same, alike), 0))).splitlines() == [
        "warning: nuclei shows 2 images on two sides of its split:",
        "  'c' (validation) and 'd' (test) are the same",
        "  'a' (train) and 'b' (test) are alike by 0.97",
    ]
    assert tell(Twinned("nuclei", Twins((alike,) * 30, 0))).splitlines()[-1] == "  and 10 more pairs"
