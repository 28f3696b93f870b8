"""Which models of timm and segmentation-models-pytorch serve as encoders, and how deep.

    python benchmarks/encoders.py ROWS.jsonl [--workers 2] [--only PATTERN] [--page docs/encoders.md] [--no-walk]

Every model: UNet++ on it is built on the meta device at the greatest depth up to 5 and passes images of 64 x 64 and
65 x 97 pixels. The smallest model of each family, for real on the CPU: strides, gradients and pruning at those sizes.
Each finding is a line of ROWS.jsonl; what is there already is not looked at again. The page is written from the file.
"""

import argparse
import fnmatch
import json
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import timm
import torch
from encoders_page import SHOWN, Row, page
from segmentation_models_pytorch.encoders import encoders as smp_encoders

from nestbench.encoders import smp as smp_plugin
from nestbench.encoders import timm as timm_plugin
from nestbench.encoders.probe import Anatomy
from nestbench.errors import RequestError
from nestbench.model import build
from nestbench.model.build import count_parameters, specify
from nestbench.testing import Subject
from nestbench.testing import encoders as contract

MEMBER, DEEPEST = "unet++ds", 5
SIZES = ((64, 64), (65, 97))


def main() -> None:
    options = _options()
    if not options.no_walk:
        _walk(walked, _names(options.only), options.rows, "walked", options.workers)
        _walk(proved, _smallest(_read(options.rows)), options.rows, "proved", options.workers)
    options.page.parent.mkdir(parents=True, exist_ok=True)
    options.page.write_text(page(_read(options.rows)))


def walked(name: str) -> Row:
    """Build UNet++ on the encoder on the meta device and pass two sizes through it."""
    row: Row = {"kind": "walked", "name": name, "family": _family(name), "works": False}
    try:
        found = _anatomy(name)
        row |= {"strides": [f.stride for f in found.features], "takes": _takes(found)}
        depth = _greatest_depth(name)
        row |= {"depth": depth, "works": True}
        if depth >= SHOWN:
            row["parameters"] = count_parameters(specify(MEMBER, name, SHOWN, in_channels=3))
    except Exception as error:  # one model must not stop the walk
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        row |= {"works": False, "reason": reason, "offers": _offers(name)}
    for plugin in (timm_plugin, smp_plugin):
        plugin.anatomy.cache_clear()
    return row


def proved(name: str) -> Row:
    """Run the contract's checks of features, gradients and pruning on the encoder, for real."""
    row: Row = {"kind": "proved", "name": name, "family": _family(name)}
    checks = (contract.strides, contract.gradients, contract.smallest_image, contract.pruning)
    try:
        depth = _greatest_depth(name)
        for subject in (Subject(name, depth, sizes=SIZES), Subject(name, depth, sizes=SIZES[:1])):
            for check in checks if len(subject.sizes) > 1 else checks[-1:]:
                check(subject)
    except Exception as error:  # one model must not stop the walk
        row["reason"] = f"{check.__name__}: {' '.join(str(error).split())[:300] or type(error).__name__}"
    return row | {"works": "reason" not in row}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="*", help="names to walk, e.g. 'timm:resnet*'")
    parser.add_argument("--page", type=Path, default=Path("docs/encoders.md"))
    parser.add_argument("--no-walk", action="store_true", help="write the page from the rows that are there")
    return parser.parse_args()


def _names(pattern: str) -> list[str]:
    every = [*(f"timm:{n}" for n in timm.list_models()), *(f"smp:{n}" for n in smp_encoders)]
    return fnmatch.filter(every, pattern)


def _read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _walk(look: Callable[[str], Row], names: list[str], path: Path, kind: str, workers: int) -> None:
    done = {row["name"] for row in _read(path) if row["kind"] == kind}
    waiting = [name for name in names if name not in done]
    pool = ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,))
    with pool, path.open("a") as file:
        for count, future in enumerate(as_completed([pool.submit(look, name) for name in waiting]), start=1):
            row = future.result()
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(f"{count}/{len(waiting)} {row['name']}: {row.get('reason', 'works')}", flush=True)


def _smallest(rows: list[Row]) -> list[str]:
    """The working model of each family with the fewest parameters, those without a proof of their own."""
    families = defaultdict(list)
    for row in rows:
        if row["kind"] == "walked" and row["works"]:
            families[row["family"]].append((row.get("parameters", 0), row["name"]))
    return [min(models)[1] for _, models in sorted(families.items())]


def _anatomy(name: str) -> Anatomy:
    library, _, variant = name.partition(":")
    return timm_plugin.anatomy(variant) if library == "timm" else smp_plugin.anatomy(variant)


def _family(name: str) -> str:
    library, _, variant = name.partition(":")
    if library == "timm":
        return f"timm {timm.model_entrypoint(variant).__module__.rpartition('.')[-1]}"
    return f"smp {smp_encoders[variant]['encoder'].__module__.rpartition('.')[-1]}"


def _greatest_depth(name: str) -> int:
    """Build the network as deep as the encoder allows and pass both sizes through it."""
    depth = DEEPEST
    while True:
        try:
            with torch.device("meta"), torch.no_grad():
                model = build(MEMBER, name, depth, in_channels=3)
                for size in SIZES:
                    shapes = {tuple(logits.shape) for logits in model(torch.empty(2, 3, *size)).values()}
                    assert shapes == {(2, 1, *size)}, f"logits have shapes {shapes}"
        except RequestError as error:
            if "cannot give depth" not in str(error) or depth == 1:
                raise
            depth -= 1
        else:
            return depth


def _takes(found: Anatomy) -> str:
    side, tile, least = found.frame
    words = f"tiles of {side}" if tile else "any size" if side == 1 else f"padded to {side}s"
    return words if least <= side else f"{words}, from {least}"


def _offers(name: str) -> bool:
    """Whether the library can build the model for its features at all."""
    try:
        with torch.device("meta"):
            timm.create_model(name.partition(":")[2], features_only=True)
    except Exception:  # as it may
        return False
    return True


if __name__ == "__main__":
    main()
