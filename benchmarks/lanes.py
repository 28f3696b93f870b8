"""How much more a GPU does when the steps of several networks run side by side: what sharing it can bring at most.

    python benchmarks/lanes.py [--rounds 30] [--lanes 1 4 8]

UNet++ in training, replayed, each network on a stream of its own, all in one process: neither start-up nor data nor
processes that wait for one another. What several processes of a study gain by it is measured by packed.py.
"""

import time
from argparse import Namespace
from typing import NamedTuple

import torch
from asked import answer, bare, count

from nestbench.errors import RequestError
from nestbench.losses import bce_dice
from nestbench.machine import Plan, device_name, wait
from nestbench.model import construct
from nestbench.model.build import specify
from nestbench.speed.rounds import Pass
from nestbench.train import gradients, training_step

PLAN = Plan("cuda", "bfloat16", "channels-last", 1, replay=True)


class Size(NamedTuple):
    """A network, and the batch that it learns from."""

    encoder: str
    side: int
    batch: int


SIZES = (Size("timm:resnet18", 96, 16), Size("plain:16", 64, 8))


def lane(size: Size, seed: int) -> Pass:
    """A training step on a stream of its own, recorded already."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    with torch.cuda.stream(stream):
        torch.manual_seed(seed)
        model = construct(specify("unet++", size.encoder, 4, in_channels=3)).train()
        PLAN.place(model)
        optimiser = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
        down = gradients(model, bce_dice, PLAN)
        images = torch.randn(size.batch, 3, size.side, size.side, device="cuda")
        masks = torch.randint(0, 2, (size.batch, size.side, size.side), device="cuda")
        for _ in range(3):
            training_step(down, optimiser, images, masks)
    wait("cuda")

    def step() -> None:
        with torch.cuda.stream(stream):
            training_step(down, optimiser, images, masks)

    return step


def pace(size: Size, lanes: int, rounds: int) -> float:
    """Steps a second of all lanes together."""
    steps = [lane(size, seed) for seed in range(lanes)]
    for step in steps * 5:
        step()
    wait("cuda")
    start = time.perf_counter()
    for step in steps * rounds:
        step()
    wait("cuda")
    return lanes * rounds / (time.perf_counter() - start)


def compare(asked: Namespace) -> None:
    """Print the pace of so many lanes against that of the first number of them."""
    for size in SIZES:
        first = 0.0
        for lanes in asked.lanes:
            rate = pace(size, lanes, asked.rounds)
            torch.cuda.empty_cache()
            first = first or rate
            times = f"{lanes} at once, {rate / first:.2f} times the steps"
            print(f"{size.encoder}, {size.side} px, batch {size.batch}: {times}")


def main() -> None:
    parser = bare(__doc__)
    parser.add_argument("--rounds", type=count, default=30)
    parser.add_argument("--lanes", type=count, nargs="+", default=(1, 4, 8))
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        raise RequestError("this benchmark is of a GPU, and there is none here")
    PLAN.enter()
    print(f"{device_name('cuda')}, torch {torch.__version__}, {asked.rounds} rounds")
    compare(asked)


if __name__ == "__main__":
    answer(main)
