"""What pruning changes, which must be nothing, and what it saves: encoder families x members x depths, in one run.

    python benchmarks/pruning.py [--size 96] [--rounds 7] [--encoders NAME ...] [--threads N] [--device auto]

A member with several heads is built once and pruned to each of them: `difference` is the largest between the pruned
network's output and the whole one's head at that depth, in float32 on the CPU. A member with a single head is built at
each depth, as isolated training does: `-` says that there is no head to compare it with. Times are medians of one
image's forward pass in float32; all networks of an encoder take turns in every round.
"""

from argparse import Namespace

import torch
from asked import answer, options

from nestbench.machine import Plan, device_name
from nestbench.model import Spec, build, prune
from nestbench.model.build import count_parameters, specify
from nestbench.model.size import network_size
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

Pruned = tuple[Spec, float | None]
"""A network, and its largest difference to the head that it was; None where it never was one of several."""


@torch.no_grad()
def differences(member: str, encoder: str, size: int) -> list[Pruned]:
    """Each depth of a member as a network of its own, and by how much it differs from the whole one's head."""
    if not MEMBERS[member].deep_supervision:
        return [(specify(f"{member}:{depth}", encoder, in_channels=3), None) for depth in DEPTHS]
    image, model = torch.randn(1, 3, size, size), build(member, encoder, max(DEPTHS), in_channels=3).eval()
    whole = model(image)
    found: list[Pruned] = []
    for depth in DEPTHS:
        small = prune(model, depth)
        found.append((small.spec, float((small(image)[depth] - whole[depth]).abs().max())))
    return found


def show(encoder: str, found: dict[str, list[Pruned]], plan: Plan, asked: Namespace) -> None:
    """Print a line for each member and depth."""
    specs = list(dict.fromkeys(spec for pairs in found.values() for spec, _ in pairs))
    times = dict(zip(specs, measure(specs, asked.size, 1, plan, asked.rounds, lambda _: None), strict=True))
    for member, pairs in found.items():
        deepest = times[pairs[-1][0]]
        for spec, difference in pairs:
            print(line(encoder, member, spec, difference, times[spec], deepest), flush=True)


def line(encoder: str, member: str, spec: Spec, difference: float | None, own: Timing, deepest: Timing) -> str:
    """One row of the table."""
    ratio, shown = own.median_ms / deepest.median_ms, "-" if difference is None else f"{difference:.1e}"
    cost = f"{count_parameters(spec):>11,} {own.median_ms:8.2f} {ratio:6.2f}"
    return f"{encoder:28} {member:10} L{spec.depth} {shown:>10} {cost}"


def main() -> None:
    parser = options(__doc__, size=96, rounds=7)
    parser.add_argument("--encoders", nargs="+", default=ENCODERS)
    asked = parser.parse_args()
    torch.manual_seed(0)
    plan = Plan(asked.device, "float32", "contiguous", asked.threads)
    plan.enter()
    print(f"{device_name(plan.device)}, {plan.threads} threads, torch {torch.__version__}, ", end="")
    print(f"{asked.size} x {asked.size} pixels")
    print(f"{'encoder':28} {'member':10}    {'difference':>10} {'parameters':>11} {'ms':>8} {'to L4':>6}")
    compared: list[float] = []
    for encoder in asked.encoders:
        network_size(specify("unet++", encoder, max(DEPTHS), in_channels=3), asked.size)  # refuses what is too small
        found = {member: differences(member, encoder, asked.size) for member in MEMBERS}
        compared += [value for pairs in found.values() for _, value in pairs if value is not None]
        show(encoder, found, plan, asked)
    print(f"largest difference of all {len(compared)}: {max(compared)}")


if __name__ == "__main__":
    answer(main)
