import json
from pathlib import Path

import pytest
import torch

from nestbench.cli import answer
from nestbench.model import build, load, save
from nestbench.model import export as exporting
from nestbench.model.files import Use, read_use

ABOUT = Use(96, ("background", "cell"))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save(build("unet++ds", "plain:2", depth=2), tmp_path / "whole.safetensors", ABOUT)
    return tmp_path / "whole.safetensors"


def test_pruning_a_file_writes_the_smaller_network_and_says_what_it_saved(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.safetensors"
    assert answer(["model", "prune", str(weights), "--depth", "1", "--out", str(out)]) == 0
    whole, small = load(weights), load(out)
    before, after = (sum(p.numel() for p in model.parameters()) for model in (whole, small))
    assert f"{after:,} of {before:,} parameters" in capsys.readouterr().out
    image = torch.randn(1, 1, 16, 16)
    assert torch.equal(small(image)[1], whole(image)[1])
    assert read_use(out) == ABOUT


def test_pruning_says_parameters_in_json(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "small.safetensors"
    assert answer(["model", "prune", str(weights), "--depth", "1", "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["depth"] == 1
    assert said["parameters"]["after"] == sum(p.numel() for p in load(out).parameters())


def test_exporting_runs_what_it_wrote_beside_its_source(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.pt2"
    assert answer(["model", "export", str(weights), "--format", "torch", "--depth", "1", "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith(f"{out}: L1; largest difference to its source 0.0e+00")
    program = torch.export.load(out).module()
    image = torch.randn(3, 1, 21, 16)
    with torch.no_grad():
        assert torch.equal(program(image)[1], load(weights)(image)[1])


def test_without_onnx_runtime_the_file_is_said_to_be_unchecked(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exporting, "write_onnx", lambda model, path, about: None)
    assert answer(["model", "export", str(weights), "--format", "onnx", "--out", str(tmp_path / "n.onnx")]) == 0
    said = capsys.readouterr().out
    assert "L1, L2; not compared with its source: onnxruntime is not installed" in said


WRONG = {
    "a depth without a head": (["prune", "WEIGHTS", "--depth", "3", "--out", "o"], "a head was trained only at depth"),
    "its own input": (["prune", "WEIGHTS", "--depth", "1", "--out", "WEIGHTS"], "is the file that is read"),
    "a folder": (["prune", "WEIGHTS", "--depth", "1", "--out", "."], "is a folder"),
    "no such weights": (["prune", "absent", "--depth", "1", "--out", "o"], "cannot read weights from 'absent'"),
    "an unknown format": (["export", "WEIGHTS", "--format", "onx", "--out", "o"], "did you mean 'onnx'"),
    "exporting over the input": (["export", "WEIGHTS", "--format", "torch", "--out", "WEIGHTS"], "that is read"),
    "exporting another depth": (["export", "WEIGHTS", "--format", "torch", "--depth", "4", "--out", "o"], "depth 4"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_request_is_one_sentence_and_writes_nothing(
    kind: str, weights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(weights.parent)
    before = weights.read_bytes()
    arguments, words = WRONG[kind]
    assert answer(["model", *(weights.name if a == "WEIGHTS" else a for a in arguments)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert words in said.err
    assert weights.read_bytes() == before
    assert list(weights.parent.iterdir()) == [weights]


def test_a_link_to_the_input_is_the_input(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = tmp_path / "link.safetensors"
    link.symlink_to(weights)
    assert answer(["model", "prune", str(weights), "--depth", "1", "--out", str(link)]) == 2
    assert "is the file that is read" in capsys.readouterr().err


def test_without_the_extra_export_says_how_to_get_it(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda name: None)
    assert answer(["model", "export", str(weights), "--format", "onnx", "--out", str(tmp_path / "n.onnx")]) == 2
    assert "pip install 'nestbench[export]'" in capsys.readouterr().err
