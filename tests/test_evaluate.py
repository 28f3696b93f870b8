import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from drawn_feed import feed_of

from nestbench.datasets.contract import Case
from nestbench.evaluate import AT_ONCE, at_once, judge, output, outputs, predict
from nestbench.losses import bce_dice
from nestbench.machine import Plan
from nestbench.metrics import probabilities
from nestbench.model import answering, build, prune
from nestbench.results.scores import COLUMNS, case_scores
from nestbench.train import validate
from nestbench.windows import windows

PLAN = Plan("cpu", "float32", "contiguous", 1)
CASES = [Case(f"case-{i}", f"subject-{i // 2}") for i in range(7)]
CELLS = ["background", "cell"]


def drawn(spaces, classes=2, **more):
    generator = torch.Generator().manual_seed(0)
    images = [torch.randint(0, 256, (1, *space), dtype=torch.uint8, generator=generator) for space in spaces]
    masks = [torch.randint(0, classes, tuple(space), dtype=torch.uint8, generator=generator) for space in spaces]
    return feed_of(images, masks, **more)


def pictures(classes=2):
    return drawn([(16, 16)] * len(CASES), classes)


def counted(model, data, names=CELLS):
    return pd.concat([one.counts for one in judge(model, data, CASES, names, PLAN, "test")], ignore_index=True)


def network(classes=1, name="unet++ds"):
    torch.manual_seed(0)
    return build(name, "plain:2", depth=2, classes=classes)


@pytest.mark.parametrize(("classes", "names"), [(1, ["background", "cell"]), (3, ["background", "a", "b"])])
def test_every_case_output_and_class_has_a_row(classes, names):
    counts = counted(network(classes), pictures(len(names)), names)
    assert list(counts.columns) == list(COLUMNS)
    assert len(counts) == len(CASES) * 3 * (len(names) - 1)
    assert set(counts["output"]) == {"L1", "L2", "ensemble"}
    assert (counts[["tp", "fp", "fn", "tn"]].sum(axis=1) == 256).all()
    assert counts.groupby("case")["subject"].first().to_dict() == {c.id: c.subject for c in CASES}


def test_the_ensemble_is_the_mean_of_the_heads_probabilities():
    logits = network().eval()(torch.randn(2, 1, 16, 16))
    mean = (probabilities(logits[1]) + probabilities(logits[2])) / 2
    torch.testing.assert_close(outputs(logits)["ensemble"], mean)


def test_a_pruned_network_scores_as_its_head_did():
    model = network()
    whole = case_scores(counted(model, pictures()))
    small = case_scores(counted(prune(model, 1), pictures()))
    assert set(small["output"]) == {"L1"}
    np.testing.assert_array_equal(small["iou"], whole.loc[whole["output"] == "L1", "iou"])


def test_a_pruned_network_finds_what_its_head_did():
    model, names = network(), ["background", "cell"]
    whole = list(judge(model, pictures(), CASES, names, PLAN, "test"))
    small = list(judge(prune(model, 1), pictures(), CASES, names, PLAN, "test"))
    assert [list(one.others) for one in whole] == [["L1", "L2"]] * len(whole)
    for one, pruned in zip(whole, small, strict=True):
        np.testing.assert_array_equal(one.others["L1"], pruned.mask)
        assert pruned.others == {}


def test_an_output_is_what_all_of_them_have_under_its_name():
    logits = network().eval()(torch.randn(2, 1, 16, 16))
    for name, values in outputs(logits).items():
        assert torch.equal(output(logits, name), values)


def test_the_validation_iou_is_the_tables():
    model, data = network(), pictures()
    scores = case_scores(counted(model, data))
    expected = scores.loc[scores["output"] == "ensemble", "iou"].mean()
    assert validate(model, answering(model, PLAN), data, bce_dice)[1] == pytest.approx(expected)


@pytest.mark.parametrize("classes", [1, 4])
def test_predicted_masks_hold_classes_and_have_the_size_of_their_case(classes):
    data = drawn([(16, 16), (21, 40)], max(2, classes), patch=16)
    names = ["background", "a", "b", "c"][: max(2, classes)]
    masks = [one.mask for one in judge(network(classes), data, CASES, names, PLAN, "test")]
    assert [mask.shape for mask in masks] == [(1, 16, 16), (1, 21, 40)]
    assert all(mask.dtype == np.uint8 and mask.max() < max(2, classes) for mask in masks)


SPACES = {2: [(16, 16), (30, 17), (16, 41)], 3: [(16, 16, 16), (37, 20, 18), (5, 16, 23)]}


@pytest.mark.parametrize(("dims", "volumes"), [(2, False), (2, True), (3, True)])
def test_every_plane_comes_once_in_its_order(dims, volumes):
    spaces = SPACES[3 if volumes else 2]
    data = drawn(spaces, patch=16)
    if volumes and dims == 2:
        data = feed_of_slices(data)
    model = build("unet++ds", "plain:2", depth=2, classes=1, dims=dims)
    for case, parts in itertools.groupby(predict(model, data, PLAN), key=lambda part: part.case):
        planes = list(parts)
        space = spaces[case] if volumes else (1, *spaces[case])
        depths = [part.probability["L1"].shape[1] for part in planes]
        assert [part.start for part in planes] == list(itertools.accumulate([0, *depths[:-1]]))
        for name in ("L1", "L2", "ensemble"):
            whole = torch.cat([part.probability[name] for part in planes], dim=1)
            assert whole.shape == (2, *space)
            torch.testing.assert_close(whole.sum(dim=0), torch.ones(space))


def feed_of_slices(data):
    return replace(data, window=(1, 16, 16), dims=2)


class Pixelwise(torch.nn.Module):
    """A network that sees one pixel at a time, so that windows cannot matter."""

    class spec:  # noqa: N801
        primary, heads = "L1", (1,)

    def forward(self, image):
        return {1: image * 3 - 1}


@pytest.mark.parametrize("dims", [2, 3])
def test_where_a_network_acts_pixel_by_pixel_windows_change_nothing(dims):
    spaces = SPACES[dims]
    data = drawn(spaces, patch=16)
    for position, parts in itertools.groupby(predict(Pixelwise(), data, PLAN), key=lambda part: part.case):
        found = torch.cat([part.probability["L1"] for part in parts], dim=1)
        space = spaces[position] if dims == 3 else (1, *spaces[position])
        image = data.images(position, tuple(slice(0, side) for side in space))
        mean, deviation = data.moments[position]
        expected = probabilities((3 * (image - mean) / deviation - 1)[None])[0]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("dims", "volumes"), [(2, False), (2, True), (3, True)])
def test_planes_are_held_against_their_own_of_the_truth(dims, volumes):
    """A network that answers the truth errs nowhere, so that no plane meets another's."""
    generator = torch.Generator().manual_seed(0)
    masks = [torch.randint(0, 2, space, generator=generator).to(torch.uint8) for space in SPACES[3 if volumes else 2]]
    data = feed_of([255 * mask[None] for mask in masks], masks, patch=16)
    data = feed_of_slices(data) if volumes and dims == 2 else data
    judged = list(judge(Pixelwise(), data, CASES, CELLS, PLAN, "test"))
    assert [one.counts[["tp", "fp", "fn"]].to_numpy().tolist() for one in judged] == [
        [[int(mask.sum()), 0, 0]] for mask in masks
    ]


def test_a_window_too_large_for_a_batch_goes_alone():
    assert at_once((1, 96, 96)) == 32
    assert at_once((128, 128, 128)) == 1
    assert at_once((1, 1, 1)) == AT_ONCE


@pytest.mark.parametrize("dims", [2, 3])
def test_the_validation_iou_is_that_of_whole_cases_however_windows_overlap_or_reach_beyond_them(dims):
    data = drawn([(5, 30, 17), (16, 16, 16), (37, 9, 41)], patch=16)
    data = data if dims == 3 else feed_of_slices(data)
    scores = case_scores(pd.concat([one.counts for one in judge(Pixelwise(), data, CASES[:3], CELLS, PLAN, "test")]))
    assert scores["iou"].nunique() == 3
    model = Pixelwise()
    assert validate(model, answering(model, PLAN), data, bce_dice)[1] == pytest.approx(scores["iou"].mean(), rel=1e-12)


class Ramp(Pixelwise):
    """A network whose answer depends on where in its window a pixel lies, so that only right blending is right."""

    def forward(self, image):
        ramp = sum(torch.linspace(-1, 1, n).view(-1, *(1,) * k) for k, n in enumerate(reversed(image.shape[2:])))
        return {1: image + ramp}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
def test_blended_planes_are_those_of_the_whole_case_summed_at_once(dims, streamed):
    data = replace(drawn(SPACES[dims], patch=16), streamed=streamed)
    for position, parts in itertools.groupby(predict(Ramp(), data, PLAN), key=lambda part: part.case):
        found = torch.cat([part.probability["L1"] for part in parts], dim=1)
        space = data.spaces[position]
        reach = tuple(map(max, space, data.window))
        expected = torch.zeros(2, *reach)
        for place, weights in windows(reach, data.window):
            images, _ = data.take([(position, *(axis.start for axis in place))])
            values = probabilities(Ramp()(images)[1])[0].reshape(2, *data.window)
            expected[(slice(None), *place)] += values * weights
        torch.testing.assert_close(found, expected[(slice(None), *map(slice, space))])
