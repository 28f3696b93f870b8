import ctypes
import platform
import subprocess
import sys

import pytest

from nestbench.machine import Plan, allocator

GLIBC = platform.libc_ver()[0] == "glibc"
FAULTS = """
import resource, torch
from nestbench.machine import Plan

def faults():
    for _ in range(16):  # where small blocks lie decides how soon one that was freed is large enough for the next
        torch.ones(2**24)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = faults()
Plan("cpu", "float32", "contiguous", 1).enter()
print(before, faults())
"""


@pytest.mark.skipif(not GLIBC, reason="what is freed is kept with glibc alone")
def test_a_process_that_follows_a_plan_keeps_the_memory_that_it_frees():
    # Page faults of making a tensor of 64 MiB eight times over, before and after.
    said = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    before, after = map(int, said.stdout.split())
    assert after * 4 < before


class Library:
    """A C library that knows the names that it is given, and writes down what its mallopt is told."""

    def __init__(self, *names, threshold=1):
        self.told = []

        def mallopt(parameter, value):
            self.told.append((parameter, value))
            return threshold if parameter == -3 else 1

        known = {"gnu_get_libc_version": lambda: "2.36", "mallopt": mallopt}
        self.__dict__.update({name: known[name] for name in names})


def told(monkeypatch, library):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    allocator.keep_freed_memory()
    return library.told


def test_an_older_glibc_that_refuses_the_threshold_is_told_to_map_no_block(monkeypatch):
    library = Library("gnu_get_libc_version", "mallopt", threshold=0)
    assert told(monkeypatch, library)[:2] == [(-3, 2**31 - 1), (-4, 0)]


def test_glibc_is_told_three_things(monkeypatch):
    library = Library("gnu_get_libc_version", "mallopt")
    assert told(monkeypatch, library) == [(-3, 2**31 - 1), (-1, 2**31 - 1), (-2, 2**26)]


@pytest.mark.parametrize("names", [(), ("mallopt",), ("gnu_get_libc_version",)])
def test_another_c_library_is_left_alone(monkeypatch, names):
    assert told(monkeypatch, Library(*names)) == []


def test_elsewhere_nothing_happens(monkeypatch):
    def refused(name):
        raise AssertionError

    monkeypatch.setattr(ctypes, "CDLL", refused)
    monkeypatch.setattr(sys, "platform", "darwin")
    allocator.keep_freed_memory()


def test_where_the_library_cannot_be_opened_nothing_happens(monkeypatch):
    def missing(name):
        raise OSError("no such library")

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", missing)
    allocator.keep_freed_memory()


def test_only_a_plan_for_the_cpu_changes_the_allocator(monkeypatch):
    called = []
    monkeypatch.setattr("nestbench.machine.plan.keep_freed_memory", lambda: called.append(True))
    monkeypatch.setattr("torch.set_num_threads", lambda threads: None)
    for flag in ("benchmark", "deterministic"):
        monkeypatch.setattr(f"torch.backends.cudnn.{flag}", False)
    Plan("cuda", "float32", "contiguous", 1).enter()
    assert not called
    Plan("cpu", "float32", "contiguous", 1).enter()
    assert called
