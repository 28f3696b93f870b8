"""``nestbench study plan`` and ``study prune`` on results that nobody trained."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fake_numbers import Fake
from fake_results import write_fake

from nestbench.cli import answer
from nestbench.model import AnyNetwork, build, load, save
from nestbench.model.files import Use, read_use

Ask = Callable[..., int]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Runs a command of ``nestbench study`` on fake results with the given changes."""

    def run(command: str, *options: str, margin: float = 0.5, **changes: object) -> int:
        fake = Fake(**({"models": ("unet", "unet++ds"), "cases": 12} | changes))  # type: ignore[arg-type]
        folder = write_fake(tmp_path, fake)
        file = tmp_path / "study.yaml"
        file.write_text((folder / "study.yaml").read_text().replace("margin: 0.5", f"margin: {margin}"))
        torch.manual_seed(0)
        for seed, place in enumerate(sorted(folder.glob("nuclei/*/unet++ds/seed-*"))):
            network = build("unet++ds", "plain:2", 4)
            torch.nn.init.constant_(next(network.parameters()), seed)
            save(network, place / "weights.safetensors", Use(size=32, classes=("background", "nucleus")))
        return answer(["study", command, str(file), "--results", str(tmp_path), *options])

    return run


def test_a_plan_says_seeds_hours_and_subjects(ask: Ask, capsys: Capture) -> None:
    assert ask("plan", "--difference", "1", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    (need,) = said["needs"]
    assert (need["dataset"], need["difference"], said["comparisons"]) == ("nuclei", 0.01, 1)
    assert need["hours"] == pytest.approx(need["seeds"] * 2 * (300 + 12) / 3600)
    assert said["pilot"][0]["seeds"] == 3
    assert said["pilot"][0]["variances"]["rest"] > 0


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_plan_names_what_the_pilot_lacks(ask: Ask, capsys: Capture, tmp_path: Path, options: tuple[str, ...]) -> None:
    ask("plan", encoders=("a", "b"))
    capsys.readouterr()
    shutil.rmtree(tmp_path / "fake-nuclei" / "nuclei" / "b" / "unet")
    assert answer(["study", "plan", str(tmp_path / "study.yaml"), "--results", str(tmp_path), *options]) == 0
    said = capsys.readouterr().out
    if options:
        assert json.loads(said)["skipped"] == [{"dataset": "nuclei", "encoder": "b"}]
    else:
        assert "No plan for nuclei with b: the pilot has no two networks there" in said


def test_a_plan_for_people_has_a_line_each_difference(ask: Ask, capsys: Capture) -> None:
    assert ask("plan") == 0
    said = capsys.readouterr().out
    assert "power with 3 seeds" in said
    assert "or subjects, with 3 seeds" in said
    assert said.count("timm:resnet18") == 3


@pytest.mark.parametrize(
    ("options", "changes", "words"),
    [
        ((), {"seeds": 1}, "the pilot has one seed"),
        ((), {"failed": ("unet", "unet++ds")}, "no run of the study 'fake-nuclei'"),
        (("--difference", "0"), {}, "--difference 0 is not a number of IoU points above 0 and up to 100"),
        (("--difference", "nan"), {}, "--difference nan is not"),
        (("--power", "80"), {}, "--power 80 is not a probability between 0 and 1"),
        (("--pilot", "nowhere.yaml"), {}, "cannot read the study file 'nowhere.yaml'"),
    ],
)
def test_a_plan_that_cannot_be_made_is_one_sentence(
    ask: Ask, capsys: Capture, options: tuple[str, ...], changes: dict[str, object], words: str
) -> None:
    assert ask("plan", *options, **changes) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_what_the_tests_support_is_cut_written_and_told(
    ask: Ask, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported = []

    def write_onnx(model: AnyNetwork, path: Path, about: Use) -> float:  # the real one is slow, and tested elsewhere
        exported.append((model.spec, about.size))
        path.write_bytes(b"onnx")
        return 1e-6

    monkeypatch.setattr("nestbench.model.export.write_onnx", write_onnx)
    out = tmp_path / "pruned"
    assert ask("prune", "--out", str(out), "--json", margin=1.5, cases=40) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["model"], row["output"], row["confirmed"]) == ("unet++ds", "L3", True)
    cut = row["cut"]
    small = load(cut["weights"])
    assert small.spec.heads == (3,)
    assert read_use(cut["weights"]).size == 32
    assert float(next(small.parameters()).detach().mean()) == cut["seed"]
    assert Path(cut["onnx"]).read_bytes() == b"onnx"
    assert exported == [(small.spec, 32)]
    assert {"parameters", "FLOPs", "bytes", "ms on AMD EPYC 9V74 80-Core Processor"} == set(cut["costs"])
    assert all(least < most for least, most in cut["costs"].values())


def test_two_seeds_prune_nothing_and_are_told_why(ask: Ask, capsys: Capture, tmp_path: Path) -> None:
    assert ask("prune", "--out", str(tmp_path / "pruned"), margin=1.5, cases=40, seeds=2) == 0
    assert "no test: fewer than three seeds or two subjects" in capsys.readouterr().out
    assert not (tmp_path / "pruned").exists()


def test_where_nothing_is_confirmed_nothing_is_written(ask: Ask, capsys: Capture, tmp_path: Path) -> None:
    assert ask("prune", "--out", str(tmp_path / "pruned"), margin=0.01) == 0
    assert "stays at L4" in capsys.readouterr().out
    assert not (tmp_path / "pruned").exists()


@pytest.mark.parametrize(
    ("options", "changes", "words"),
    [
        (("--model", "unet++d"), {}, "did you mean 'unet++ds'?"),
        (("--model", "unet"), {}, "none of unet has a finished run with several heads"),
        ((), {"failed": ("unet", "unet++ds")}, "no run of the study"),
    ],
)
def test_what_cannot_be_pruned_is_one_sentence(
    ask: Ask, capsys: Capture, options: tuple[str, ...], changes: dict[str, object], words: str
) -> None:
    assert ask("prune", *options, **changes) == 2
    assert words in capsys.readouterr().err
