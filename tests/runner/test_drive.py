"""The driver before a crew that does as it is told: what is tried again, what ends, and what a wish to stop does."""

from collections import deque

import pytest

from nestbench.datasets.splits import Split
from nestbench.machine import Plan
from nestbench.results.places import run_folder
from nestbench.results.records import Epoch, Result, write_result
from nestbench.runner.drive import Driver
from nestbench.runner.events import Advanced, Failed, Finished, Paused, Retried, Started
from nestbench.runner.queue import find_done, open_queues
from nestbench.searches.store import new_store
from nestbench.study.schema import Study
from nestbench.work.job import Job
from nestbench.work.messages import Began, Ended, Reported

PLAN = Plan("cpu", "float32", "contiguous", 1)


class Clock:
    """A clock that goes on by so much whenever it is looked at."""

    def __init__(self, pace=0.0):
        self.now, self.pace = 0.0, pace

    def __call__(self):
        self.now += self.pace
        return self.now


class FakeCrew:
    """Does runs in turn; ``ends`` says how each attempt at a run ends: a kind, or nothing for well."""

    def __init__(self, ends=(), silent=False, size=1):
        self.size, self.ends, self.silent = size, deque(ends), silent
        self.jobs, self.flying, self.heard, self.asked_to_stop, self.killed = [], [], deque(), False, []

    @property
    def free(self):
        return self.size - len(self.flying)

    @property
    def busy(self):
        return bool(self.flying)

    prompt = True

    def start(self, job):
        self.jobs.append(job)
        self.flying.append(job.run)
        self.heard.append(Began(job.run, "here", 1))
        if self.silent:
            return
        self.heard.append(Reported(job.run, Epoch(0, 1.0, 1.0, 0.5, True, 1.0)))
        kind = self.ends.popleft() if self.ends else ""
        self.heard.append(Ended(job.run, None, "why", kind) if kind else Ended(job.run, result_of(job)))

    def next(self):
        if not self.heard:
            return None
        message = self.heard.popleft()
        if isinstance(message, Ended):
            self.flying.remove(message.run)
        return message

    def reply(self, run, stop):
        assert not stop

    def stop(self):
        self.asked_to_stop = True
        self.heard = deque(Ended(run, None, "stopped", "stopped") for run in self.flying)

    def kill(self, run):
        self.killed.append(run)
        self.silent = False
        self.heard.append(Ended(run, None, "died", "lost"))


def result_of(job):
    return Result(job.identity, "L4", 0.5, 0, 1, "patience", 10, 1.0)


def drive(folder, crew, *, retries=2, silence=1e9, stop=lambda: False, clock=None, seeds=1, batch=8):
    study = Study.model_validate(
        {
            "name": "s",
            "datasets": [{"name": "synthetic"}],
            "models": ["unet"],
            "seeds": seeds,
            "recipe": {"batch": batch},
        }
    )

    def job(run):
        return Job(run, folder, "content", Split((0,), (1,), (2,)), PLAN, folder)

    queues = open_queues(study, folder, find_done(study, folder, job), new_store(folder))
    driver = Driver(queues, crew, job, retries=retries, silence=silence, stop=stop, clock=clock or Clock())
    return driver.events()


def kinds(events):
    return [type(event) for event in events]


def test_a_run_that_goes_well_is_started_advanced_and_finished(tmp_path):
    assert kinds(drive(tmp_path, FakeCrew(), seeds=2)) == [Started, Advanced, Finished] * 2


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_run_that_is_lost_is_tried_again_so_many_times(tmp_path, retries):
    crew = FakeCrew(["lost"] * 9)
    events = kinds(drive(tmp_path, crew, retries=retries))
    assert len(crew.jobs) == retries + 1
    assert (events.count(Retried), events[-1]) == (retries, Failed)


def test_a_run_that_is_lost_once_is_finished_once(tmp_path):
    crew = FakeCrew(["lost"])
    events = list(drive(tmp_path, crew, seeds=2))
    assert kinds(events) == [Started, Advanced, Retried, *[Started, Advanced, Finished] * 2]
    assert [str(job.run) for job in crew.jobs][:2] == [str(events[0].run)] * 2  # before the next one is taken up
    assert len({str(e.run) for e in events if isinstance(e, Finished)}) == 2


def test_a_run_that_is_lost_after_its_result_was_written_is_done(tmp_path):
    class Late(FakeCrew):
        def start(self, job):
            super().start(job)
            folder = run_folder(tmp_path, job.run)
            folder.mkdir(parents=True)
            write_result(folder, result_of(job))

    crew = Late(["lost"])
    assert kinds(drive(tmp_path, crew)) == [Started, Advanced, Finished]
    assert len(crew.jobs) == 1


def test_a_run_that_waits_to_begin_does_not_hang(tmp_path):
    class Waiting(FakeCrew):
        prompt = False

        def start(self, job):
            super().start(job)
            self.heard.extendleft([None] * 20)

    crew = Waiting()
    assert Retried not in kinds(drive(tmp_path, crew, silence=100, clock=Clock(pace=30)))
    assert crew.killed == []


def test_a_run_that_somebody_else_stops_is_tried_again(tmp_path):
    assert kinds(drive(tmp_path, FakeCrew(["stopped"])))[2:] == [Retried, Started, Advanced, Finished]


def test_a_run_that_fails_of_itself_is_not_tried_again_and_the_others_go_on(tmp_path):
    events = list(drive(tmp_path, FakeCrew(["failed"]), seeds=2))
    assert kinds(events) == [Started, Advanced, Failed, Started, Advanced, Finished]
    assert events[2].reason == "why"


def test_a_run_without_memory_passes_its_batch_in_more_parts_down_to_two_images(tmp_path):
    crew = FakeCrew(["memory"] * 9)
    events = list(drive(tmp_path, crew, batch=8, retries=0))
    assert [job.parts for job in crew.jobs] == [1, 2, 4]
    assert kinds(events)[-1] is Failed


def test_a_run_that_says_nothing_is_ended_and_tried_again(tmp_path):
    crew = FakeCrew(silent=True)
    events = list(drive(tmp_path, crew, silence=100, clock=Clock(pace=30)))
    assert len(crew.killed) == 1
    assert kinds(events) == [Started, Retried, Started, Advanced, Finished]
    assert events[1].reason == "it hung: no epoch for 100 seconds"


def test_a_run_that_never_begins_where_it_should_at_once_is_ended_and_tried_again(tmp_path):
    class Mute(FakeCrew):
        def start(self, job):
            super().start(job)
            if self.silent:
                self.heard.clear()

    crew = Mute(silent=True)
    events = list(drive(tmp_path, crew, silence=100, clock=Clock(pace=30)))
    assert len(crew.killed) == 1
    assert kinds(events) == [Retried, Started, Advanced, Finished]


@pytest.mark.parametrize("kind", ["stopped", "lost"])
def test_what_ends_when_everybody_is_asked_to_stop_is_no_failure(tmp_path, kind):
    asked = iter([False] * 3)  # before each message; the wish comes between the third, the end, and its hearing
    events = drive(tmp_path, FakeCrew([kind]), retries=0, stop=lambda: next(asked, True))
    assert kinds(events) == [Started, Advanced, Paused]


def test_a_wish_to_stop_starts_nothing_more_and_keeps_the_place_of_what_is_at_work(tmp_path):
    crew, told = FakeCrew(silent=True, size=2), []
    events = drive(tmp_path, crew, seeds=5, stop=lambda: len(told) >= 2)
    for event in events:
        told.append(event)
    assert crew.asked_to_stop
    assert len(crew.jobs) == 2
    assert kinds(told) == [Started, Started, Paused, Paused]


def test_a_study_that_is_stopped_before_it_begins_starts_nothing(tmp_path):
    crew = FakeCrew()
    assert list(drive(tmp_path, crew, stop=lambda: True)) == []
    assert crew.jobs == []
