import json
from types import SimpleNamespace

import pytest

from nestbench import plugins
from nestbench.cli import answer
from nestbench.testing import encoders


def broken(subject):
    """The contract wants this."""
    raise AssertionError("It is not so")


@pytest.fixture
def one_broken(monkeypatch):
    monkeypatch.setattr(encoders, "ENCODER_CHECKS", (encoders.channels, broken))


def test_an_encoder_that_keeps_the_contract_is_told_so_line_by_line(capsys):
    assert answer(["encoder", "check", "plain:4", "--depth", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(encoders.ENCODER_CHECKS)
    assert all(line.startswith("ok ") for line in lines)


@pytest.mark.usefixtures("one_broken")
def test_a_broken_promise_is_said_in_the_words_of_the_contract(capsys):
    assert answer(["encoder", "check", "plain:4"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first == "ok      channels"
    assert second == "failed  broken: The contract wants this. It is not so."


@pytest.mark.usefixtures("one_broken")
def test_the_checks_are_told_in_json_too(capsys):
    assert answer(["encoder", "check", "plain:4", "--depth", "1", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert [(check["check"], check["ok"]) for check in said["checks"]] == [("channels", True), ("broken", False)]


@pytest.mark.parametrize("name", ["plian", "timm:resnet81", "timm:"])
def test_an_unknown_encoder_cannot_be_checked(name, capsys):
    assert answer(["encoder", "check", name]) == 2
    assert name.partition(":")[2] in capsys.readouterr().err


def test_a_depth_that_the_encoder_cannot_give_is_a_wrong_request(capsys):
    assert answer(["encoder", "check", "timm:test_vit", "--depth", "7"]) == 2
    assert "depths 1 to 5" in capsys.readouterr().err


def test_a_plugin_that_raises_fails_its_checks_and_nothing_else(monkeypatch, capsys):
    def plugin(variant, depth, in_channels, pretrained):
        raise ZeroDivisionError("of its own")

    point = SimpleNamespace(load=lambda: plugin, dist=None, module="mine")
    monkeypatch.setattr(plugins, "available", lambda kind: {"mine": point})
    assert answer(["encoder", "check", "mine"]) == 1
    assert "ZeroDivisionError: of its own" in capsys.readouterr().out
