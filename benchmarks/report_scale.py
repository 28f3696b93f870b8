"""How long the report of a large study takes: ``python benchmarks/report_scale.py [--runs 1000] [--cases 300]``.

The results are made up (``tests/report/fake_results.py``) and written once; then the installed code builds their report
in a process of its own, which says what it took and whether torch was imported.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "report"))

from fake_numbers import Fake
from fake_results import write_fake

MODELS = ("unet", "wide-unet", "unet-e", "unet++", "unet++ds")
DATASETS = ("nuclei", "cell", "em", "brain-tumor", "liver")
ENCODERS = ("timm:resnet18", "plain")

BUILD = """
import sys, time
begin = time.perf_counter(), time.process_time()
from pathlib import Path
from nestbench.report.pages import build_report
build_report([Path(sys.argv[1])], Path(sys.argv[2]))
wall, cpu = time.perf_counter() - begin[0], time.process_time() - begin[1]
print(f"{wall:.1f} s, of one core {cpu:.1f} s; torch was {'' if 'torch' in sys.modules else 'not '}imported")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--results", type=Path, help="where results of an earlier call lie, or are to be kept")
    asked = parser.parse_args()
    seeds = -(-asked.runs // (len(MODELS) * len(DATASETS) * len(ENCODERS)))
    with tempfile.TemporaryDirectory() as place:
        root = asked.results or Path(place)
        folder = root / "fake-nuclei"
        if not folder.exists():
            fake = Fake(MODELS, seeds=seeds, cases=asked.cases, datasets=DATASETS, encoders=ENCODERS)
            write_fake(root, fake)
        runs = len(list(folder.rglob("result.json")))
        print(f"{runs} runs x {asked.cases} cases: ", end="", flush=True)
        subprocess.run([sys.executable, "-c", BUILD, folder, Path(place) / "report.pdf"], check=True)


if __name__ == "__main__":
    main()
