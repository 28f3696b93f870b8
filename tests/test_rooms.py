"""Some rooms must never pull in others: what is imported is looked at in a fresh interpreter."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "room",
    [
        "report.pages",
        "results.records",
        "results.scores",
        "study.files",
        "topology",
        "plugins",
        "runner.status",
        "work.messages",
    ],
)
def test_a_room_that_reads_files_needs_neither_torch_nor_optuna(room):
    code = f"import sys, nestbench.{room}; print([m for m in ('torch', 'optuna', 'timm') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_package_itself_imports_nothing():
    code = "import sys; before = set(sys.modules); import nestbench; print(sorted(set(sys.modules) - before))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "['nestbench']"
