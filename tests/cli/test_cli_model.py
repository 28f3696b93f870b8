import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nestbench.cli import answer

SMALL = ("--encoder", "plain:4", "--size", "32")


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert answer(["model", "show", *arguments, "--json"]) == 0
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("unet:1", 100_961),
        ("unet:2", 465_953),
        ("unet:3", 1_925_025),
        ("unet", 7_759_521),
        ("wide-unet", 9_282_246),
        ("unet-e", 8_728_356),
        ("unet+", 8_728_257),
        ("unet+ds", 8_728_356),
        ("unet++:2", 511_105),
        ("unet++:3", 2_204_961),
        ("unet++", 9_041_601),
        ("unet++ds", 9_041_700),
    ],
)
def test_the_papers_block_has_the_papers_parameters(
    name: str, parameters: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = shown(capsys, name, "--encoder", "plain", "--block", "paper", "--in-channels", "1", "--size", "32")
    assert found["parameters"] == parameters


def test_each_depth_that_a_member_can_be_pruned_to_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "unet++ds", "--block", "paper", "--size", "32")
    assert found["heads"] == [1, 2, 3, 4]
    counts = {d["depth"]: d["parameters"] for d in found["depths"]}
    assert counts == {1: 100_961, 2: 511_105, 3: 2_204_961, 4: 9_041_601}
    work = [d["flops"] for d in found["depths"]]
    assert work == sorted(work)


def test_a_depth_in_the_name_is_the_depth_that_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "unet:2", "--encoder", "plain:4", "--size", "32")
    assert (found["depth"], found["heads"], found["classes"]) == (2, [2], 1)


def test_nodes_are_told_with_what_they_read(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "unet++:2", "--encoder", "plain:4", "--size", "32")
    reads = {node["name"]: node["reads"] for node in found["nodes"]}
    assert reads == {"x00": [], "x10": [], "x20": [], "x01": ["x10", "x00"], "x11": ["x20", "x10"]} | {
        "x02": ["x11", "x00", "x01"]
    }


def test_people_see_the_grid_and_what_pruning_removes(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["model", "show", "unet-e", "--depth", "2", "--encoder", "plain:4", "--size", "32"]) == 0
    said = capsys.readouterr().out
    assert "[x01]" in said
    assert [line.split()[-3:] for line in said.splitlines() if " L1 " in line] == [["x20", "x11", "x02"]]


def test_a_depth_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["model", "show", "unet", "--depth", "9"]) == 2
    assert "depth 9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--size", "0"], "invalid value for '--size'"),
        (["--size", "8"], "size 8 is too small: a network of depth 4 takes 16 or more"),
        (["--size", "8", "--dims", "3"], "size 8 is too small"),
    ],
)
def test_a_size_that_a_network_cannot_take_is_refused(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(["model", "show", "unet", *options]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert words in said


@pytest.mark.parametrize(("name", "parameters"), [("unet", 22_575_329), ("unet++", 26_198_273)])
def test_volumes_are_counted_with_three_sides(name: str, parameters: int, capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, name, "--block", "paper", "--dims", "3", "--size", "16")
    assert (found["parameters"], found["dims"]) == (parameters, 3)


def test_pruning_is_drawn_and_its_numbers_stand(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["model", "show", "unet++ds", *SMALL]) == 0
    whole = capsys.readouterr().out
    assert answer(["model", "show", "unet++ds", *SMALL, "--prune", "2"]) == 0
    pruned = capsys.readouterr().out
    grid = "\n".join(pruned.splitlines()[:12])
    assert ("x02" in grid, "x03" in grid, "x30" in grid) == (True, False, False)
    assert whole.splitlines()[-9:] == pruned.splitlines()[-9:]


def test_programs_are_told_what_each_depth_removes(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "unet++ds", "--depth", "2", *SMALL)
    assert [row["removed"] for row in found["depths"]] == [["x20", "x11", "x02"], []]


@pytest.mark.parametrize(("suffix", "begins"), [("svg", b"<?xml"), ("PDF", b"%PDF"), ("png", b"\x89PNG")])
def test_a_drawing_is_written_as_its_suffix_says(
    suffix: str, begins: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / f"grid.{suffix}"
    found = shown(capsys, "unet++ds", "--depth", "2", *SMALL, "--prune", "1", "--out", str(out))
    assert found["out"] == str(out)
    assert out.read_bytes().startswith(begins)
    assert list(out.parent.iterdir()) == [out]


def test_a_drawing_is_named_to_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "grid.png"
    assert answer(["model", "show", "unet:2", *SMALL, "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(out)
    with Image.open(out) as image:
        assert min(image.size) > 400


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["unet", "--out", "grid.jpg"], "'grid.jpg' is not a drawing: its name must end in one of .svg, .pdf, .png"),
        (["unet", "--out", "grid"], "'grid' is not a drawing"),
        (["unet", "--prune", "2"], "cannot prune to depth 2: a head was trained only at depth 4"),
        (["unet++ds", "--prune", "0"], "cannot prune to depth 0"),
        (["unet++ds", "--dims", "4"], "dims is 4, but must be 2 (images) or 3 (volumes)"),
        (["unet", "--in-channels", "0"], "in_channels is 0"),
        (["unet", "--classes", "0"], "classes is 0"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_sentence(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(["model", "show", *options]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert words in said.err


def test_a_network_from_outside_the_family_has_sizes_but_no_grid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = ["smp:Unet", "--encoder", "timm:resnet18", "--size", "32"]
    found = shown(capsys, *network)
    assert (found["nodes"], found["heads"], len(found["depths"])) == ([], [4], 1)
    assert found["parameters"] == found["depths"][0]["parameters"] > 0
    assert answer(["model", "show", *network]) == 0
    assert "x00" not in capsys.readouterr().out
    assert answer(["model", "show", *network, "--out", str(tmp_path / "grid.svg")]) == 2
    assert "'smp:Unet' is not of the family: it has no grid to draw" in capsys.readouterr().err


def test_packages_that_bring_networks_from_outside_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(["model", "list"]) == 0
    assert "smp:<name>" in capsys.readouterr().out
