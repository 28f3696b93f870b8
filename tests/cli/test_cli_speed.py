import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nestbench import engine
from nestbench.cli import answer
from nestbench.machine import choose_plan
from nestbench.model import build, save
from nestbench.model.files import Use
from nestbench.speed import peak, survey
from nestbench.speed.memory import Memory

COLUMNS = 100
COMMANDS = [["speed", "w.safetensors"], ["predict", "w.safetensors", ".", "--out", "out"]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights, where the plan, the machine's peak and the processes of the memory take no time."""
    monkeypatch.setattr(engine, "choose_plan", lambda device, cache: replace(choose_plan(device), threads=1))
    monkeypatch.setattr(peak, "SHAPES", ((2, 8),))
    monkeypatch.setattr(survey, "peak_memory", lambda *_: Memory(2**20, 2**30))
    torch.manual_seed(0)
    save(build("unet++ds", "plain:2", 2), tmp_path / "w.safetensors", Use(24))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def timed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert answer(["speed", *arguments, "--rounds", "1", "--device", "cpu"]) == 0
    return capsys.readouterr().out


def test_weights_are_timed_at_every_head_and_all_at_once(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads(timed(capsys, "w.safetensors", "--batch", "2", "--json"))
    assert [row["output"] for row in said["networks"]] == ["L1", "L2", "all"]
    assert {key: said[key] for key in ("network", "size", "batch", "engine", "rounds", "reference")} == {
        "network": "w.safetensors",
        "size": 24,
        "batch": 2,
        "engine": "torch",
        "rounds": 1,
        "reference": "L2",
    }
    assert said["spec"]["encoder"] == "plain:2"
    assert said["plan"]["device"] == "cpu"
    assert said["environment"]["torch"]
    for row in said["networks"]:
        assert set(row["alone"]["milliseconds"]) == {"5", "50", "95", "99"}
        assert row["alone"]["ratio"].keys() == {"value", "low", "high"}
        assert row["memory"] == {"network": 2**20, "process": 2**30}


def test_a_member_is_timed_untrained_and_as_asked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["unet++ds:3", "--encoder", "plain:1", "--in-channels", "3", "--classes", "2", "--size", "8"]
    said = json.loads(timed(capsys, *asked, "--depths", "3,1", "--json"))
    assert [row["output"] for row in said["networks"]] == ["L1", "L3"]
    assert (said["spec"]["in_channels"], said["spec"]["classes"], said["size"]) == (3, 2, 8)


def test_volumes_are_timed_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = timed(capsys, "unet:1", "--encoder", "plain:1", "--dims", "3", "--size", "8")
    assert said.startswith("unet:1 on plain:1, 1 x 8 x 8 x 8, batch 1, by torch")


def test_tables_fit_a_hundred_columns_and_name_what_they_show(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = timed(capsys, "w.safetensors")
    assert max(len(line) for line in said.splitlines()) <= COLUMNS
    for words in ("network alone", "From file to file", "time of L2", "of peak", "1 MiB", "1,024 MiB", "energy: "):
        assert words in said
    assert [line.split()[0] for line in said.splitlines() if line.startswith((" L", " all"))] == ["L1", "L2", "all"] * 3


def test_the_json_is_written_to_a_file_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = timed(capsys, "w.safetensors", "--depths", "1", "--out", "new/speed.json", "--json")
    assert json.loads(Path("new/speed.json").read_text()) == json.loads(said)


WRONG = {
    "an unknown member": (["unet+++"], "unknown model 'unet+++'; did you mean 'unet++'"),
    "no such file": (["absent.safetensors"], "weights from 'absent.safetensors': No such file or directory\n"),
    "no such file in a folder": (["results/absent"], "cannot read weights from 'results/absent'"),
    "a folder": (["."], "'.' is a folder: name a file of weights"),
    "a folder with the name of a file": (["f.safetensors"], "'f.safetensors' is a folder: name a file of weights"),
    "a device for a file": (["/dev/null"], "it is a folder, or something else that is no file"),
    "a file of something else": (["note.txt"], "it is no safetensors file"),
    "a depth without a head": (["unet:2", "--depths", "1"], "depth 1"),
    "a depth that is none": (["w.safetensors", "--depths", "1,deep"], "'deep', which is neither a depth nor 'all'"),
    "no depth": (["w.safetensors", "--depths", ""], "neither a depth nor 'all'"),
    "too small a size": (["w.safetensors", "--size", "3"], "size 3 is too small"),
    "no size": (["w.safetensors", "--size", "0"], "greater than or equal to 1, and it is '0'"),
    "a size that is no number": (["w.safetensors", "--size", "big"], "and it is 'big'"),
    "too large a size": (["w.safetensors", "--size", "4097"], "--size 4097 is too large: "),
    "an empty batch": (["w.safetensors", "--batch", "0"], "and it is '0'"),
    "a batch beyond all memory": (["w.safetensors", "--batch", "1" + "0" * 400], "GiB of memory, and the device"),
    "weights beyond all memory": (
        ["unet", "--encoder", "plain:1000000"],
        "'unet' with these options takes at least 26,315,452 GiB",
    ),
    "too many classes": (["unet", "--classes", "257"], "and it is '257'"),
    "no rounds": (["w.safetensors", "--rounds", "0"], "and it is '0'"),
    "rounds without end": (["w.safetensors", "--rounds", "10001"], "and it is '10001'"),
    "the weights as the JSON": (["w.safetensors", "--out", "w.safetensors"], "is the file that is read"),
    "an unknown engine": (["w.safetensors", "--engine", "torhc"], "did you mean 'torch'"),
    "an unknown device": (["w.safetensors", "--device", "gpu"], "unknown device 'gpu'"),
    "an unknown encoder": (["unet", "--encoder", "plian"], "did you mean 'plain'"),
    "another encoder for a file": (["w.safetensors", "--encoder", "plain"], "--encoder is for members"),
    "a folder for the JSON": (["w.safetensors", "--out", "."], "--out '.' is a folder"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_request_is_one_sentence(kind: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("note.txt").write_text("a note")
    Path("f.safetensors").mkdir()
    arguments, words = WRONG[kind]
    assert answer(["speed", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert words in said.err


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("wrong", ["--engine", "--device"])
def test_a_wrong_name_is_answered_before_the_heavy_rooms_are_imported(
    command: list[str], wrong: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "nestbench.engine", None)
    assert answer([*command, wrong, "openvno"]) == 2
    assert "'openvno'" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_an_engine_that_is_not_installed_says_how_to_get_it(
    command: list[str], here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    assert answer([*command, "--engine", "openvino"]) == 2
    assert "pip install 'nestbench[openvino]'" in capsys.readouterr().err
