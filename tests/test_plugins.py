from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from nestbench import plugins
from nestbench.cli import answer
from nestbench.errors import RequestError

MODULES = {
    "sound": "class Encoder: '''An encoder.'''",
    "raises": "raise ZeroDivisionError('no such luck')",
    "leaves": "import sys; sys.exit(3)",
    "silent": "raise ValueError",
    "chatty": "raise RuntimeError('first line\\nsecond line')",
    "stopped": "raise KeyboardInterrupt",
    "data": "Encoder = 7",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Install a package that registers a plugin: on the path, with metadata, found as any other."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(name: str, module: str, plugin: str = "mine", kind: str = "encoders") -> None:
        (tmp_path / f"{name}_{module}.py").write_text(MODULES[module])
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[nestbench.{kind}]\n{plugin} = {name}_{module}:Encoder\n")
        forget()

    yield install
    monkeypatch.undo()
    forget()


def forget() -> None:
    plugins.available.cache_clear()
    plugins.packages.cache_clear()


def test_the_built_ins_are_registered_like_anybodys():
    assert {"plain", "timm"} <= set(plugins.available("encoder"))
    assert {"synthetic", "nuclei", "folder"} <= set(plugins.available("dataset"))
    assert {"bce-dice", "dice"} <= set(plugins.available("loss"))
    assert all(isinstance(point, EntryPoint) for point in plugins.available("model").values())


def test_the_variant_stands_behind_the_colon():
    plugin, variant = plugins.find("encoder", "plain:16")
    assert plugin.__name__ == "Plain"
    assert variant == "16"


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(RequestError, match="unknown encoder 'plane'; did you mean 'plain'"):
        plugins.find("encoder", "plane")


def test_a_package_that_is_installed_is_found(package):
    package("theirs", "sound")
    assert plugins.find("encoder", "mine:4")[0].__name__ == "Encoder"
    assert ("mine", "theirs") in plugins.listed("encoder")


@pytest.mark.parametrize("kind", ["encoder", "dataset", "loss", "model"])
def test_each_kind_has_a_group_of_its_own(kind, package):
    package("theirs", "sound", "mine", {"loss": "losses"}.get(kind, f"{kind}s"))
    assert [k for k in ("encoder", "dataset", "loss", "model") if "mine" in plugins.available(k)] == [kind]


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("raises", "ZeroDivisionError: no such luck"),
        ("leaves", "SystemExit: 3"),
        ("silent", "ValueError"),
        ("chatty", "RuntimeError: first line"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_blamed_on_its_package(module, reason, package):
    package("theirs", module)
    with pytest.raises(RequestError) as found:
        plugins.find("encoder", "mine")
    assert str(found.value) == f"encoder 'mine' of package 'theirs' cannot be loaded: {reason}"


def test_a_plugin_that_cannot_be_called_is_named(package):
    package("theirs", "data")
    with pytest.raises(RequestError, match="encoder 'mine' of package 'theirs' cannot be called: it is of type int"):
        plugins.find("encoder", "mine")


def test_ctrl_c_while_a_plugin_is_imported_is_still_ctrl_c(package):
    package("theirs", "stopped")
    with pytest.raises(KeyboardInterrupt):
        plugins.find("encoder", "mine")


def test_two_packages_with_one_name_are_both_named(package):
    package("theirs", "sound")
    package("others", "sound")
    with pytest.raises(RequestError) as found:
        plugins.find("encoder", "mine:4")
    assert str(found.value) == (
        "encoder 'mine' is ambiguous: registered by 'others' and 'theirs', of which only one can stay installed"
    )
    assert dict(plugins.listed("encoder"))["mine"].startswith("registered by 'others' and 'theirs'")


def test_nothing_else_is_disturbed_by_plugins_that_are_wrong(package, capsys):
    package("theirs", "leaves")
    package("others", "sound", "twice")
    package("more", "sound", "twice")
    assert plugins.find("encoder", "plain")[0].__name__ == "Plain"
    for group in ("encoder", "dataset", "model"):
        assert answer([group, "list"]) == 0
    assert "synthetic" in capsys.readouterr().out


def test_a_data_set_that_cannot_be_imported_is_a_line_of_the_list(package, capsys):
    package("theirs", "leaves", "mine", "datasets")
    assert answer(["dataset", "list"]) == 0
    said = capsys.readouterr().out
    assert "dataset 'mine' of package 'theirs' cannot be loaded: SystemExit: 3" in said
    assert "synthetic" in said


def test_a_wrong_plugin_that_is_asked_for_ends_a_command_with_one_sentence(package, capsys):
    package("theirs", "leaves")
    assert answer(["model", "show", "unet", "--encoder", "mine"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "package 'theirs'" in said.err


def test_a_plugin_without_variants_takes_no_colon():
    with pytest.raises(RequestError, match="loss 'dice:2' has no variants: write 'dice'"):
        plugins.find_plain("loss", "dice:2")
    assert plugins.find_plain("loss", "dice").__name__ == "dice"
