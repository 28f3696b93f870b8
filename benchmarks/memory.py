"""Peak memory of a training step: UNet++ beside segmentation-models-pytorch's, same encoder, batch and size.

    python benchmarks/memory.py [--encoder timm:resnet18] [--size 96] [--batch 16] [--device cpu|cuda]

Each variant has a process of its own: what it holds at its peak over three steps, less what it held before the network
was built. On the CPU that is resident memory as the system counts it, on a GPU what torch allocated. `checkpointed`
keeps of each decoder node only its inputs and computes it again on the way back; the time of a step is beside it.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nestbench.losses import bce_dice
from nestbench.machine import Plan, cores, device_name
from nestbench.model import build
from nestbench.model.build import specify
from nestbench.model.size import network_size
from nestbench.train import training_step

VARIANTS = {
    "smp, float32": ("smp:UnetPlusPlus", "float32", False),
    "smp, bfloat16": ("smp:UnetPlusPlus", "bfloat16", False),
    "unet++, float32": ("unet++", "float32", False),
    "unet++, bfloat16": ("unet++", "bfloat16", False),
    "unet++, bfloat16, checkpointed": ("unet++", "bfloat16", True),
}
STEPS = 3


class Checkpointed(nn.Module):
    """A node that is computed again on the way back."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: Tensor) -> Tensor:
        """Keep the inputs alone."""
        value: Tensor = checkpoint(self.inner, inputs, use_reentrant=False)
        return value


def held(device: str) -> float:
    """Bytes at the peak so far."""
    if device == "cuda":
        return float(torch.cuda.max_memory_allocated())
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def step_memory(variant: str, options: argparse.Namespace) -> dict[str, float]:
    """Peak bytes over a few training steps of a variant, and the median seconds of a step."""
    name, precision, again = VARIANTS[variant]
    layout = "channels-last" if precision == "bfloat16" else "contiguous"
    plan = Plan(options.device, precision, layout, cores())
    plan.enter()
    images = plan.arrange(torch.randn(options.batch, 3, options.size, options.size, device=options.device))
    masks = (torch.rand(options.batch, options.size, options.size, device=options.device) < 0.3).long()
    before = held(options.device)
    model = build(name, options.encoder, in_channels=3)
    if again:
        for key, node in model.nodes.items():
            model.nodes[key] = Checkpointed(node)
    plan.place(model)
    optimiser = torch.optim.AdamW(model.parameters(), fused=True)
    seconds = []
    for _ in range(STEPS):
        start = time.perf_counter()
        float(training_step(model, images, masks, bce_dice, plan, optimiser))
        seconds.append(time.perf_counter() - start)
    return {"bytes": held(options.device) - before, "seconds": statistics.median(seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="timm:resnet18")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--variant", choices=VARIANTS, help="measure one, in this process, and answer in JSON")
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(step_memory(options.variant, options)))
        return
    print(
        f"{device_name(options.device)}, torch {torch.__version__}, {options.encoder}, batch {options.batch}, ", end=""
    )
    print(f"{options.size} x {options.size} pixels; ratios to the first line")
    found = {}
    for variant, (name, _, _) in VARIANTS.items():
        command = [sys.executable, *sys.argv, "--variant", variant]
        found[variant] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        size = network_size(specify(name, options.encoder, in_channels=3), options.size)
        first, own = next(iter(found.values())), found[variant]
        print(
            f"{variant:32} {own['bytes'] / 2**20:7.0f} MiB {own['bytes'] / first['bytes']:5.2f}x  "
            f"step {own['seconds'] / first['seconds']:5.2f}x  work {size.flops / 1e9:6.2f} GFLOP an image",
            flush=True,
        )


if __name__ == "__main__":
    main()
