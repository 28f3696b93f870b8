"""The examples of plugins: installed by pip into a clean environment, found there, and used by a study."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from nestbench.cli import answer

EXAMPLES = Path(__file__).parents[2] / "examples"
ENCODER = EXAMPLES / "encoder" / "studies" / "pooled.yaml"
DATASET = EXAMPLES / "dataset" / "studies" / "discs.yaml"
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")


def run(*command: object, where: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with no settings of Python, pip or nestbench but its own."""
    settings = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON", "NESTBENCH_"))}
    settings |= {"NESTBENCH_CACHE": str(where / "cache"), "NESTBENCH_DATA": str(where / "data")}
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, cwd=where, env=settings
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plugin")


@pytest.fixture(scope="module")
def python(place: Path) -> Path:
    """The interpreter of an environment of its own, which sees what is installed here, with the examples installed."""
    made = run(sys.executable, "-m", "venv", "--without-pip", place / "clean", where=place)
    assert made.returncode == 0, made.stderr
    inside = place / "clean" / "bin" / "python"
    found = run(inside, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", where=place)
    # A path alone would not do: where nestbench is installed for editing, it is found by a .pth file of that folder.
    here = sysconfig.get_path("purelib")
    Path(found.stdout.strip(), "here.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    # pip builds within the folder of the sources.
    sources = shutil.copytree(EXAMPLES, place / "examples")
    installed = run(inside, *PIP, "--no-build-isolation", sources / "encoder", sources / "dataset", where=place)
    assert installed.returncode == 0, installed.stderr
    return inside


@pytest.mark.parametrize(
    ("kind", "packages"),
    [
        ("encoder", {"pooled": "pooled-encoder", "plain": "nestbench"}),
        ("dataset", {"discs": "discs-dataset", "synthetic": "nestbench"}),
    ],
)
def test_what_is_installed_is_listed_with_its_package(
    python: Path, place: Path, kind: str, packages: dict[str, str]
) -> None:
    said = run(python, "-m", "nestbench", kind, "list", "--json", where=place)
    assert said.returncode == 0, said.stderr
    assert packages.items() <= {row["name"]: row["package"] for row in json.loads(said.stdout)}.items()


def test_a_study_with_the_installed_encoder_leaves_results_and_a_report(python: Path, place: Path) -> None:
    said = run(python, "-m", "nestbench", "study", "run", ENCODER, where=place)
    assert said.returncode == 0, said.stderr
    results = {path.relative_to(place / "results").parts[2:4] for path in place.rglob("results/pooled/**/result.json")}
    assert results == {("pooled-4", "unet"), ("pooled-4", "unet++ds")}
    assert (place / "reports" / "pooled.pdf").read_bytes().startswith(b"%PDF")


def test_a_study_of_the_installed_data_set_leaves_results_and_a_report(python: Path, place: Path) -> None:
    data = EXAMPLES / "dataset" / "data"
    said = run(python, "-m", "nestbench", "study", "run", DATASET, "--data", data, where=place)
    assert said.returncode == 0, said.stderr
    results = {path.relative_to(place / "results").parts[1:4] for path in place.rglob("results/discs/**/result.json")}
    assert results == {("discs", "plain", "unet"), ("discs", "plain", "unet++ds")}
    assert (place / "reports" / "discs.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("example", ["encoder", "dataset"])
def test_an_examples_own_tests_pass_where_it_is_installed(python: Path, place: Path, example: str) -> None:
    tests = place / "examples" / example / "tests"
    said = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests, where=place)
    assert said.returncode == 0, said.stdout


def test_a_misspelt_name_is_answered_with_the_installed_one(python: Path, place: Path) -> None:
    said = run(python, "-c", "from nestbench import plugins; plugins.find('encoder', 'poled')", where=place)
    assert "unknown encoder 'poled'; did you mean 'pooled'?" in said.stderr


@pytest.mark.parametrize(
    ("study", "unknown", "allowed"),
    [(ENCODER, "encoder 'pooled'", "plain"), (DATASET, "dataset 'discs'", "synthetic")],
    ids=["encoder", "dataset"],
)
def test_where_it_is_not_installed_the_name_is_unknown_and_nothing_is_trained(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    study: Path,
    unknown: str,
    allowed: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert answer(["study", "run", str(study)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: unknown {unknown}")
    assert allowed in said.partition("allowed: ")[2]
    assert said.count("\n") == 1
    assert list(tmp_path.rglob("*.json")) == []
