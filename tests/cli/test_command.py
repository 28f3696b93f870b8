import json
import subprocess
import sys
from pathlib import Path

import pytest

from nestbench import __version__
from nestbench.cli import answer
from nestbench.cli import model as model_group
from nestbench.errors import RunError

COMMANDS = [
    [],
    ["study"],
    ["study", "run"],
    ["study", "check"],
    ["study", "status"],
    ["report"],
    ["report", "build"],
    ["speed"],
    ["model"],
    ["model", "list"],
    ["model", "show"],
    ["model", "prune"],
    ["model", "export"],
    ["predict"],
    ["encoder"],
    ["encoder", "list"],
    ["dataset"],
    ["dataset", "list"],
    ["dataset", "check"],
    ["dataset", "show"],
    ["dataset", "fetch"],
]

WRONG = {
    "command": (["stduy", "run"], "study"),
    "command of a group": (["model", "shwo"], "show"),
    "option": (["model", "show", "unet", "--depht", "3"], "--depth"),
    "model": (["model", "show", "unet+++"], "unet++"),
    "encoder": (["model", "show", "unet", "--encoder", "plian"], "plain"),
    "block": (["model", "show", "unet", "--block", "moderm"], "modern"),
    "data set": (["dataset", "check", "nucleus"], "nuclei"),
    "encoder pattern": (["encoder", "list", "no-such-net"], "*"),
    "missing argument": (["model", "show"], "NAME"),
    "study file": (["study", "run", "no-such.yaml"], "no-such.yaml"),
    "option of a data set": (["dataset", "check", "folder", "--option", "path"], "key=value"),
}


def installed(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("nestbench")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert answer([*command, "--help"]) == 0
    assert "Usage:" in capsys.readouterr().out


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_a_wrong_request_is_one_sentence_that_names_what_is_meant(
    case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, named = WRONG[case]
    assert answer(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert named in said.err


def test_the_installed_command_says_its_version() -> None:
    said = installed("--version")
    assert (said.returncode, said.stdout) == (0, f"nestbench {__version__}\n")


def test_the_installed_command_answers_a_wrong_request_without_a_traceback() -> None:
    said = installed("model", "show", "unett")
    assert said.returncode == 2
    assert said.stderr.startswith("error: unknown model 'unett'; did you mean 'unet'?")
    assert "Traceback" not in said.stderr


def test_debug_shows_where_an_error_arose_wherever_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["model", "show", "unett", "--debug"]) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "models.py" in said


def test_help_imports_nothing_heavy() -> None:
    heavy = {"torch", "pandas", "numpy", "matplotlib", "optuna", "nestbench.study"}
    program = (
        "import sys; from nestbench.cli import answer; assert answer(['study', 'run', '--help']) == 0;"
        f"print(*{heavy} & set(sys.modules), file=sys.stderr)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert said.stderr.strip() == ""


def test_a_group_without_a_command_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["model"]) == 2
    said = capsys.readouterr()
    assert "show" in said.out
    assert said.err == ""


def test_a_closed_pipe_is_left_quietly() -> None:
    nestbench = Path(sys.executable).with_name("nestbench")
    said = subprocess.run(
        ["bash", "-c", f"'{nestbench}' model show unet --json | true"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (said.stdout, said.stderr) == ("", "")


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(model_group, "say_json", fail)
    return answer(["model", "list", "--json"])


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert failing(monkeypatch, KeyboardInterrupt()) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_work_that_failed_is_told_from_a_wrong_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(monkeypatch, RunError("the loss is not finite")) == 1
    assert capsys.readouterr().err == "error: the loss is not finite\n"


def test_a_fault_of_nestbench_is_one_sentence_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failing(monkeypatch, ZeroDivisionError("division by zero")) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("group", ["model", "encoder", "dataset"])
def test_every_list_is_json_that_names_its_members(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer([group, "list", "--json"]) == 0
    names = {row["name"] for row in json.loads(capsys.readouterr().out)}
    assert names >= {"model": {"unet", "unet++ds"}, "encoder": {"plain", "timm"}, "dataset": {"folder"}}[group]


@pytest.mark.parametrize("group", ["model", "encoder", "dataset"])
def test_every_list_names_its_members_to_people(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer([group, "list"]) == 0
    assert {"model": "wide-unet", "encoder": "timm", "dataset": "synthetic"}[group] in capsys.readouterr().out


def test_the_models_of_timm_are_listed_by_pattern(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["encoder", "list", "resnet1*", "--json"]) == 0
    assert "timm:resnet18" in {row["name"] for row in json.loads(capsys.readouterr().out)}
