"""Other ways of a training step, which the library does not go, beside its own, in one run.

    python benchmarks/alternatives.py [--data DIR] [--size 96] [--batch 16] [--rounds 20] [--threads 0] [--compile]

Every contestant has a process of its own, and they take turns. The first is UNet++ of default width by the library's
step. `split weights` convolves the parts that a node joins one by one and adds the results up, which are those of the
joined one, as it checks. `widths (18, 36, 72, 144)` are no multiples of 16, which the default's (16, 32, 64, 128) are.
`compiled` is by torch's Inductor, without its caches; it takes minutes to become ready, which it says, and takes part
only with `--compile`. Activation checkpointing has a benchmark of its own, `memory.py`.
"""

import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import cast

import torch
from arena import Maker, arena, compete, in_words, speedups
from contestants import options, ours, real_batch, work_of
from torch import Tensor, nn
from torch.nn import functional

from nestbench.losses import bce_dice
from nestbench.machine import Plan, cores, device_name
from nestbench.model import Network, Spec, construct, network
from nestbench.speed.pace import Ratio
from nestbench.speed.rounds import Pass
from nestbench.train import training_step

UNEVEN = (18, 36, 72, 144)
SPLIT, COMPILED = "split weights", "compiled"
TOLERANCE = 1e-3
"""Of float32 logits, which sums in another order change."""


class Split(nn.Module):
    """A block whose first convolution has weights of its own for each of the parts that it is applied to."""

    def __init__(self, block: nn.Sequential, channels: Sequence[int]) -> None:
        super().__init__()
        whole = cast(nn.Conv2d, block[0]).weight.detach()
        self.weights = nn.ParameterList(whole.split(list(channels), dim=1))
        self.rest = block[1:]

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        """Convolve the parts (N, C, H, W), add the results up, and go on as the block does."""
        value = functional.conv2d(parts[0], self.weights[0], padding=1)
        for part, weight in zip(parts[1:], self.weights[1:], strict=True):
            value += functional.conv2d(part, weight, padding=1)
        answer: Tensor = self.rest(value)
        return answer


def split_weights(model: Network) -> Network:
    """Give every node of a network of modern blocks weights of its own for each of its parents, in place.

    Raises SystemExit where the network does not answer as it did.
    """
    image = torch.randn(2, 3, 32, 32)
    expected = model(image)
    grid, key = model.spec.topology, network._key
    channels = {node: model.nodes[key(node)][0].out_channels for node in grid.nodes}
    for node in grid.nodes:
        _, *left = grid.parents(node)
        skips = [channels.get(n, model.encoder.channels[n.level]) for n in left]
        model.nodes[key(node)] = Split(model.nodes[key(node)], [channels[node], *skips])
    network.on_joined = lambda block, parts: block(parts)
    if any((values - expected[d]).abs().max() > TOLERANCE for d, values in model(image).items()):
        raise SystemExit("with split weights the network answers otherwise")
    return model


def trainee(asked: Namespace, which: str) -> Pass:
    """UNet++ by the library's step, and what is tried on it."""
    torch.manual_seed(0)
    plan = Plan("cpu", "bfloat16", "channels-last", asked.threads)
    plan.enter()
    model = construct(spec_of(asked, which))
    if which == SPLIT:
        split_weights(model)
    plan.place(model).train()
    optimiser = torch.optim.AdamW(model.parameters(), 3e-4, weight_decay=0.0, fused=True)
    images, masks = real_batch(asked.size, asked.batch, asked.data)

    def work() -> float:
        return float(training_step(model, images, masks, bce_dice, plan, optimiser))

    if which == COMPILED:
        compiled(model, work)
    return work


def compiled(model: nn.Module, work: Pass) -> None:
    """Compile a network and take its first step, which waits for it, and say for how long."""
    torch.compiler.config.force_disable_caches = True
    model.compile()
    start = time.perf_counter()
    work()
    print(f"compiled in {time.perf_counter() - start:.0f} s", flush=True)


def spec_of(asked: Namespace, which: str) -> Spec:
    """UNet++ of default width, or of uneven ones."""
    spec = ours(asked.depth, equal=False)
    return replace(spec, width=UNEVEN[: asked.depth]) if which == str(UNEVEN) else spec


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--compile", action="store_true", help="let the compiled step take part")
    asked = parser.parse_args()
    asked.threads = asked.threads or cores()
    entries = {"the library's step": "", SPLIT: SPLIT, f"widths {UNEVEN}": str(UNEVEN)}
    entries |= {COMPILED: COMPILED} if asked.compile else {}
    makers: dict[str, Maker] = {name: partial(trainee, asked, which) for name, which in entries.items()}
    with arena(makers) as contestants:
        taken = compete(contestants, asked.rounds)
        memory = [one.memory() for one in contestants.values()]
    print(f"{device_name('cpu')}, {asked.threads} threads, torch {torch.__version__}, {asked.rounds} rounds, ", end="")
    print(f"batch {asked.batch}, {asked.size} x {asked.size} pixels, depth {asked.depth}, ", end="")
    print("nuclei" if asked.data else "synthetic images")
    print(f"{'':24} {'images/s against the first':28} {'work':>5} {'memory':>7}  FLOPs/s against the first")
    work = [work_of(spec_of(asked, which), asked.size) for which in entries.values()]
    for name, ratio, flops, peak in zip(entries, speedups(taken), work, memory, strict=True):
        more = flops / work[0]
        rate = Ratio(ratio.value * more, ratio.low * more, ratio.high * more)
        print(f"{name:24} {in_words(ratio):28} {more:4.2f}x {peak / memory[0]:6.2f}x  {in_words(rate)}")


if __name__ == "__main__":
    main()
