from importlib.metadata import EntryPoint

import pytest

from nestbench import plugins
from nestbench.errors import RequestError


def test_the_built_ins_are_registered_like_anybodys():
    assert {"plain", "timm"} <= set(plugins.available("encoder"))
    assert {"synthetic", "nuclei", "folder"} <= set(plugins.available("dataset"))
    assert {"bce-dice", "dice"} <= set(plugins.available("loss"))


def test_the_variant_stands_behind_the_colon():
    plugin, variant = plugins.find("encoder", "plain:16")
    assert plugin.__name__ == "Plain"
    assert variant == "16"


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(RequestError, match="unknown encoder 'plane'; did you mean 'plain'"):
        plugins.find("encoder", "plane")


def test_a_plugin_that_cannot_be_imported_is_blamed_on_its_package(monkeypatch):
    broken = EntryPoint("broken", "no_such_package_of_mine:Encoder", "nestbench.encoders")
    monkeypatch.setattr(plugins, "available", lambda kind: {"broken": broken})
    with pytest.raises(RequestError, match="of package 'no_such_package_of_mine' cannot be loaded"):
        plugins.find("encoder", "broken")
