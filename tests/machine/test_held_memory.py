import sys
from pathlib import Path

import pytest
import torch

from nestbench.machine import memory
from nestbench.machine.memory import begin_anew, growth, held

MIB = 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak")
def test_the_peak_counts_what_was_freed_again():
    begin_anew("cpu")
    before = held("cpu")
    torch.ones(256 * MIB // 4)
    assert held("cpu") >= before + 200 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak")
def test_a_peak_is_forgotten():
    torch.ones(256 * MIB // 4)
    before = held("cpu")
    begin_anew("cpu")
    assert held("cpu") < before - 128 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak")
def test_growth_is_what_was_held_beyond_the_start_though_it_was_freed_again():
    before = torch.ones(128 * MIB // 4)
    grown = growth("cpu")
    torch.ones(256 * MIB // 4)
    found = grown()
    assert found is not None
    assert 250 * MIB < found < 300 * MIB
    assert before.sum() > 0


def test_a_system_that_does_not_forget_a_peak_knows_no_growth(monkeypatch, tmp_path):
    (tmp_path / "status").write_text("VmHWM:  1000 kB\n")
    (tmp_path / "clear_refs").mkdir()  # cannot be written to
    monkeypatch.setattr(memory, "_SYSTEM", Path(tmp_path))
    assert growth("cpu")() is None
