import json
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from nestbench.cli import answer
from nestbench.errors import RequestError
from nestbench.machine import choose_plan, cores
from nestbench.machine.measure import EAGER
from nestbench.report.verify import Verified
from nestbench.results.atomic import write_json
from nestbench.results.places import run_folder
from nestbench.results.records import Result, write_failure, write_result
from nestbench.runner.events import Event, Failed, Finished, Planned, Started
from nestbench.runner.means import Means
from nestbench.runner.settle import alone
from nestbench.study.schema import Run

MakeResult = Callable[..., Result]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Put a fake runner and report in place; what they are asked is kept here, what happens is told by `events`."""
    kept: dict[str, Any] = {"events": []}

    def run_study(study: object, folder: Path, means: Means, stop: Callable[[], bool]) -> Iterator[Event]:
        kept["run"] = {"folder": folder, "means": means}
        for event in kept["events"]:
            if isinstance(event, BaseException):
                raise event
            if isinstance(event, signal.Signals):
                signal.raise_signal(event)
                assert stop()
                return
            yield event

    def build_report(folders: Sequence[Path], out: Path) -> Path:
        kept["report"] = (*folders, out)
        return out

    monkeypatch.setattr("nestbench.runner.study.run_study", run_study)
    monkeypatch.setattr("nestbench.report.pages.build_report", build_report)
    monkeypatch.chdir(tmp_path)
    return kept


def test_a_study_that_went_well_ends_with_its_table_and_its_report(
    asked: dict[str, Any], study_file: Path, runs: list[Run], result: MakeResult, capsys: pytest.CaptureFixture[str]
) -> None:
    write_result(run_folder(Path("results/small"), runs[0]), result(0.712))
    asked["events"] = [Planned(tuple(runs), (), 0), Finished(runs[0], result(0.712))]
    options = ["--workers", "2", "--device", "cpu", "--precision", "float32", "--data", "there"]
    assert answer(["study", "run", str(study_file), *options]) == 0
    assert asked["run"]["folder"] == Path("results/small")
    means = asked["run"]["means"]
    assert (means.workers, means.device, means.data, means.precision) == (2, "cpu", Path("there"), "float32")
    assert asked["report"] == (Path("results/small"), Path("reports/small.pdf"))
    said = capsys.readouterr().out.splitlines()
    assert "71.2" in next(line for line in said if "12,345" in line)
    assert said[-1] == "report: reports/small.pdf"


def test_a_study_is_watched_for_as_long_as_it_is_being_run_between_two_runs_too(
    study_file: Path,
    runs: list[Run],
    result: MakeResult,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        write_result(run_folder(Path("results/small"), runs[len(waited)]), result(0.7))
        waited.append(seconds)
        if len(waited) == len(runs):
            coordinator.close()

    monkeypatch.setattr("nestbench.cli.study_status.time.sleep", sleep)
    with ExitStack() as coordinator:
        coordinator.enter_context(alone(Path("results/small")))
        assert answer(["study", "status", str(study_file), "--watch"]) == 0
    counts = [line.split(" done")[0] for line in capsys.readouterr().out.splitlines() if " done, " in line]
    assert counts == [str(number) for number in range(len(runs) + 1)]
    assert waited == [5.0] * len(runs)


def test_ctrl_c_ends_the_watching_and_says_nothing_of_the_study(
    study_file: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nestbench.cli.study_status.time.sleep", interrupted)
    with alone(Path("results/small")):
        assert answer(["study", "status", str(study_file), "--watch"]) == 0
    assert capsys.readouterr().err == ""


def test_a_cluster_is_looked_for_before_anything_else_where_there_is_still_something_to_do(
    asked: dict[str, Any],
    study_file: Path,
    runs: list[Run],
    result: MakeResult,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody(address: str) -> str:
        raise RequestError(f"no Ray cluster answers at '{address}'")

    monkeypatch.setattr("nestbench.cluster.join.find_cluster", nobody)
    order = ["study", "run", str(study_file), "--cluster", "here:1"]
    assert answer(order) == 2
    assert capsys.readouterr().err == "error: no Ray cluster answers at 'here:1'\n"
    assert "run" not in asked
    for run in runs:
        write_result(run_folder(Path("results/small"), run), result(0.7))
    assert answer(order) == 0
    assert asked["run"]["means"].cluster == "here:1"


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("--per-gpu", "0", "greater than or equal to 1"),
        ("--per-gpu", "49", "less than or equal to 48"),
        ("--workers", "0", "greater than or equal to 1"),
        ("--retries", "-1", "greater than or equal to 0"),
        ("--silence", "0", "greater than or equal to 0.1"),
        ("--checkpoint", "-1", "greater than or equal to 0"),
    ],
)
def test_a_number_outside_its_limits_is_refused_with_the_limit(
    asked: dict[str, Any], study_file: Path, capsys: Capture, option: str, value: str, allowed: str
) -> None:
    assert answer(["study", "run", str(study_file), option, value]) == 2
    assert capsys.readouterr().err == (
        f"error: invalid value for '{option}': Input should be {allowed}, and it is '{value}'\n"
    )
    assert "run" not in asked


@pytest.mark.parametrize("runs_a_gpu", [1, 48])
def test_so_many_runs_may_share_a_gpu(asked: dict[str, Any], study_file: Path, runs_a_gpu: int) -> None:
    assert answer(["study", "run", str(study_file), "--per-gpu", str(runs_a_gpu)]) == 0
    assert asked["run"]["means"].per_gpu == runs_a_gpu


def test_results_and_report_go_where_they_are_asked_to(
    asked: dict[str, Any], study_file: Path, runs: list[Run]
) -> None:
    asked["events"] = [Planned(tuple(runs), (runs[0],), 0)]
    assert answer(["study", "run", str(study_file), "--results", "kept", "--out", "a/b.pdf"]) == 0
    assert asked["report"] == (Path("kept/small"), Path("a/b.pdf"))


def test_failed_runs_are_listed_at_the_end_and_the_report_is_built_all_the_same(
    asked: dict[str, Any], study_file: Path, runs: list[Run], result: MakeResult, capsys: pytest.CaptureFixture[str]
) -> None:
    asked["events"] = [
        Planned(tuple(runs), (), 0),
        Finished(runs[0], result()),
        Started(runs[1]),
        Failed(runs[1], "the loss is not finite"),
    ]
    assert answer(["study", "run", str(study_file)]) == 1
    assert "report" in asked
    assert capsys.readouterr().err == f"failed: {runs[1]}: the loss is not finite\n"


def test_a_study_of_which_every_run_failed_has_no_report(
    asked: dict[str, Any], study_file: Path, runs: list[Run]
) -> None:
    asked["events"] = [Planned(tuple(runs), (), 0), *(Failed(run, "why") for run in runs)]
    assert answer(["study", "run", str(study_file)]) == 1
    assert "report" not in asked


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_asks_a_study_to_stop_and_says_how_to_go_on(
    how: signal.Signals, code: int, asked: dict[str, Any], study_file: Path, runs: list[Run], capsys: Capture
) -> None:
    before = signal.getsignal(how)
    asked["events"] = [Planned(tuple(runs), (runs[0],), 0), Started(runs[1]), how]
    assert answer(["study", "run", str(study_file)]) == code
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("stopping after the step that is being taken")
    assert "the same command goes on" in said[1]
    assert "report" not in asked
    assert signal.getsignal(how) == before


def test_a_second_ctrl_c_stops_at_once(
    asked: dict[str, Any], study_file: Path, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_study(*_: object) -> Iterator[Event]:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        yield Started(runs[0])
        raise AssertionError("it went on")

    monkeypatch.setattr("nestbench.runner.study.run_study", run_study)
    assert answer(["study", "run", str(study_file)]) == 130


def test_the_report_alone_is_built_without_a_run(
    asked: dict[str, Any], study_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(["report", "build", str(study_file), "--results", "kept"]) == 0
    assert asked["report"] == (Path("kept/small"), Path("reports/small.pdf"))
    assert capsys.readouterr().out == "reports/small.pdf\n"
    assert "run" not in asked


def test_status_tells_done_from_failed_from_waiting(
    study_file: Path, tmp_path: Path, runs: list[Run], result: MakeResult, capsys: pytest.CaptureFixture[str]
) -> None:
    write_result(run_folder(tmp_path / "small", runs[0]), result(0.7))
    folder = run_folder(tmp_path / "small", runs[1])
    folder.mkdir(parents=True)
    write_failure(folder, "the loss is not finite")
    command = ["study", "status", str(study_file), "--results", str(tmp_path)]
    assert answer([*command, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["counts"] == {"done": 1, "failed": 1, "waiting": 2}
    assert content["runs"][0]["validation"] == 0.7
    assert (
        content["runs"][1] | {"dataset": "synthetic", "seed": 1, "reason": "the loss is not finite"}
        == (content["runs"][1])
    )
    assert answer(command) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "1 done, 0 running, 0 stopped, 1 failed, 2 waiting; about 90 s left"
    assert "the loss is not finite" in said


def test_check_says_what_would_be_run(
    study_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NESTBENCH_CACHE", str(tmp_path / "cache"))
    study_file.write_text(study_file.read_text().replace("size: 32", "size: 32, cases: 40"))
    command = ["study", "check", str(study_file), "--device", "cpu"]
    assert answer([*command, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["runs"] == 4
    assert [n["model"] for n in content["networks"]] == ["unet", "unet++ds"]
    assert content["datasets"][0]["cases"] == 40
    assert content["plan"] == asdict(choose_plan("cpu"))
    assert {one["precision"]: one["ratio"] for one in content["measured"]} == {"float32": 1.0, "bfloat16": 1.0}
    assert answer([*command, "--precision", "bfloat16"]) == 0
    said = capsys.readouterr().out
    assert "4 runs, about" in said
    assert f"plan: bfloat16, contiguous, device cpu, threads {cores()}\n" in said
    ratios = [line.split() for line in said.splitlines() if line.split()[:1] in (["float32"], ["bfloat16"])]
    assert ratios == [[way.precision, way.memory_format, "no", "1.00"] for way in EAGER]
    assert not (tmp_path / "results").exists()


WRONG = {
    "not YAML": ("name: [", "is not YAML"),
    "unknown key": ("name: a\ndatasets: [{name: synthetic}]\nsedes: 3\n", "did you mean 'seeds'?"),
    "unknown model": ("name: a\ndatasets: [{name: synthetic}]\nmodels: [unett]\n", "did you mean 'unet'?"),
}


@pytest.mark.parametrize("command", [["study", "run"], ["study", "check"], ["study", "status"], ["report", "build"]])
@pytest.mark.parametrize("case", WRONG, ids=str)
def test_a_wrong_study_file_is_refused_in_one_sentence(
    command: list[str], case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, wanted = WRONG[case]
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    assert answer([*command, str(path)]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert wanted in said.err
    assert said.out == ""


def test_an_unknown_device_or_precision_is_refused(study_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["study", "run", str(study_file), "--device", "cude"]) == 2
    assert "did you mean 'cuda'?" in capsys.readouterr().err
    for command in ("run", "check"):
        assert answer(["study", command, str(study_file), "--precision", "bfloat"]) == 2
        assert "unknown precision 'bfloat'; did you mean 'bfloat16'?" in capsys.readouterr().err


def test_check_refuses_another_precision_than_the_study_began_in(
    study_file: Path, tmp_path: Path, capsys: Capture
) -> None:
    write_json(tmp_path / "small" / "plan.json", asdict(choose_plan("cpu")))
    command = ["study", "check", str(study_file), "--precision", "bfloat16", "--results", str(tmp_path)]
    assert answer(command) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "began in precision 'float32': 'bfloat16' cannot go on with it" in said


@pytest.mark.parametrize("command", [["study", "status"], ["report", "build"]])
def test_a_file_that_differs_from_the_results_is_refused(
    command: list[str], study_file: Path, runs: list[Run], result: MakeResult, asked: object, capsys: Capture
) -> None:
    folder = Path("results/small")
    write_result(run_folder(folder, runs[0]), result(0.7))
    (folder / "study.yaml").write_text(study_file.read_text() + "\nblock: paper\n")
    assert answer([*command, str(study_file)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "belong to another study: block was 'paper' and is now 'modern'" in said


@pytest.mark.parametrize("command", [["study", "run"], ["report", "build"]])
def test_a_folder_in_place_of_the_report_is_refused_at_once(
    command: list[str], study_file: Path, asked: dict[str, Any], capsys: Capture
) -> None:
    Path("there").mkdir()
    assert answer([*command, str(study_file), "--out", "there"]) == 2
    assert "--out 'there' is a folder: name a file in it, such as 'there/small.pdf'" in capsys.readouterr().err
    assert "run" not in asked


def test_a_report_that_no_longer_fits_is_told_of_by_the_status(
    study_file: Path,
    runs: list[Run],
    result: MakeResult,
    asked: object,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_result(run_folder(Path("results/small"), runs[0]), result(0.7))
    Path("reports").mkdir()
    Path("reports/small.pdf").write_text("an old file")
    assert answer(["study", "status", str(study_file)]) == 0
    assert "cannot read 'reports/small.pdf': it is not a PDF" in capsys.readouterr().out
    monkeypatch.setattr("nestbench.report.verify.read_content", lambda _: {"seals": {"small": "another"}})
    assert answer(["study", "status", str(study_file)]) == 0
    assert "'reports/small.pdf' is stale: the results have changed since" in capsys.readouterr().out


def test_several_studies_share_a_report_that_bears_their_names(
    study_file: Path, asked: dict[str, Any], tmp_path: Path, capsys: Capture
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(study_file.read_text().replace("name: small", "name: other"))
    assert answer(["report", "build", str(study_file), str(other)]) == 0
    assert asked["report"] == (Path("results/small"), Path("results/other"), Path("reports/small+other.pdf"))


def test_what_verifying_finds_decides_the_exit_code(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    difference = "table 1, row 'U-Net', column 'IoU': printed is '1', the results give '2'"
    cases = (
        (0, Verified(("a",), (), "", tables=Path("a-tables"))),
        (1, Verified(("a",), ("a",), difference)),
        (1, Verified(("a",), (), "", "it says that other versions made it")),
    )
    for code, found in cases:
        monkeypatch.setattr("nestbench.report.verify.verify_report", lambda pdf, results, found=found: found)
        assert answer(["report", "verify", "a.pdf"]) == code
        said = capsys.readouterr()
        assert ("stale: the results of 'a' have changed" in said.out) == bool(found.stale)
        assert ("row 'U-Net', column 'IoU'" in said.err) == bool(found.difference)
        assert ("'a.pdf' cannot be verified here: it says that other" in said.err) == bool(found.unsure)
        assert ("every number in 'a.pdf' and in 'a-tables' follows from 'results/a'" in said.out) == (code == 0)
