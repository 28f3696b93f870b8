"""The machine: the plan that a study runs by, chosen by what was measured here, and what it ran on."""

from nestbench.machine.choose import choose_plan
from nestbench.machine.device import cores, device_name, environment, memory_of, wait
from nestbench.machine.plan import Plan, Precision

__all__ = ["Plan", "Precision", "choose_plan", "cores", "device_name", "environment", "memory_of", "wait"]
