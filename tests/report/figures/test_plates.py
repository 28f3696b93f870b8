from collections.abc import Callable
from pathlib import Path

import pytest

from nestbench.report.chapters import make_tables
from nestbench.report.figures.plates import curve_plates, parameter_plates
from nestbench.report.figures.style import styled
from nestbench.report.gather import Evidence

Make = Callable[..., Evidence]


def names(count: int) -> tuple[str, ...]:
    every = ("nuclei", "cell", "em", "brain-tumor", "liver", "lung-slices", "folder", "decathlon")
    return every[:count]


@pytest.mark.parametrize(("count", "parts", "of_curves"), [(1, 1, 1), (2, 1, 1), (8, 2, 3)])
def test_data_sets_with_one_encoder_share_figures_that_name_each_once(
    make_evidence: Make, tmp_path: Path, count: int, parts: int, of_curves: int
) -> None:
    evidence = make_evidence(models=("unet", "unet++"), seeds=1, cases=3, datasets=names(count), speed=False)
    with styled():
        drawn = list(parameter_plates(evidence, make_tables(evidence)["members"], tmp_path))
        curves = list(curve_plates(evidence, tmp_path))
    assert (len(drawn), len(curves)) == (parts, of_curves)
    captions = " ".join(block["caption"].partition(":")[0] for block in drawn)
    assert all(captions.count(name) == 1 for name in names(count))
    assert ("timm:resnet18" in drawn[0]["caption"]) == (count > 1)
    assert all((tmp_path / block["file"]).exists() for block in drawn + curves)


def test_data_sets_with_several_encoders_have_figures_of_their_own(make_evidence: Make, tmp_path: Path) -> None:
    encoders = ("timm:resnet18", "plain")
    evidence = make_evidence(models=("unet",), seeds=1, cases=3, datasets=names(2), encoders=encoders, speed=False)
    with styled():
        assert len(list(curve_plates(evidence, tmp_path))) == 2
