"""What pruning changes, which must be nothing, and what it saves: encoder families x members x depths, in one run.

    python benchmarks/pruning.py [--size 96] [--rounds 7] [--encoders NAME ...]

A member with several heads is built once and pruned to each of them; one with a single head is built at each depth, as
isolated training does. `difference` is the largest between the pruned network's output and the whole one's head at that
depth, in float32. Times are medians of one image's forward pass; all networks of an encoder take turns in every round.
"""

import argparse

import torch

from nestbench.machine import Plan, cores, device_name
from nestbench.model import AnyNetwork, Spec, build, prune
from nestbench.model.build import count_parameters
from nestbench.speed import Timing, measure
from nestbench.topology import MEMBERS

ENCODERS = (
    "plain:16",
    "timm:resnet18",
    "timm:mobilenetv3_small_100",
    "timm:convnext_atto",
    "timm:pvt_v2_b0",
    "timm:vit_tiny_patch16_224",
)
DEPTHS = (1, 2, 3, 4)


def wholes(member: str, encoder: str) -> list[AnyNetwork]:
    """The networks of a member from which its depths are pruned: one with every head, or one for each depth."""
    names = [member] if MEMBERS[member].deep_supervision else [f"{member}:{depth}" for depth in DEPTHS]
    return [build(name, encoder, max(DEPTHS), in_channels=3).eval() for name in names]


@torch.no_grad()
def differences(member: str, encoder: str, size: int) -> list[tuple[Spec, float]]:
    """Each depth of a member as a network of its own, and by how much it differs from the whole one's head."""
    image, found = torch.randn(1, 3, size, size), []
    for model in wholes(member, encoder):
        whole = model(image)
        for depth in model.spec.heads:
            small = prune(model, depth)
            found.append((small.spec, float((small(image)[depth] - whole[depth]).abs().max())))
    return found


def show(encoder: str, found: dict[str, list[tuple[Spec, float]]], plan: Plan, options: argparse.Namespace) -> float:
    """Print a line for each member and depth; the largest difference."""
    specs = list(dict.fromkeys(spec for pairs in found.values() for spec, _ in pairs))
    times = dict(zip(specs, measure(specs, options.size, 1, plan, options.rounds, lambda _: None), strict=True))
    for member, pairs in found.items():
        deepest = times[pairs[-1][0]]
        for spec, difference in pairs:
            print(line(encoder, member, spec, difference, times[spec], deepest), flush=True)
    return max(difference for pairs in found.values() for _, difference in pairs)


def line(encoder: str, member: str, spec: Spec, difference: float, own: Timing, deepest: Timing) -> str:
    """One row of the table."""
    ratio = own.median_ms / deepest.median_ms
    cost = f"{count_parameters(spec):>11,} {own.median_ms:8.2f} {ratio:6.2f}"
    return f"{encoder:28} {member:10} L{spec.depth} {difference:10.1e} {cost}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--encoders", nargs="+", default=ENCODERS)
    options = parser.parse_args()
    torch.manual_seed(0)
    plan = Plan("cpu", "float32", "contiguous", cores())
    plan.enter()
    print(f"{device_name('cpu')}, {cores()} cores, torch {torch.__version__}, {options.size} x {options.size} pixels")
    print(f"{'encoder':28} {'member':10}    {'difference':>10} {'parameters':>11} {'ms':>8} {'to L4':>6}")
    largest = 0.0
    for encoder in options.encoders:
        found = {member: differences(member, encoder, options.size) for member in MEMBERS}
        largest = max(largest, show(encoder, found, plan, options))
    print(f"largest difference of all: {largest}")


if __name__ == "__main__":
    main()
