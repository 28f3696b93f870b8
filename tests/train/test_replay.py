"""Recorded and replayed work of a GPU is the work itself. Without a GPU there is nothing to record."""

from dataclasses import replace

import pytest
import torch
from drawn_feed import feed_of
from small_lesson import network, squares, weights

from nestbench.errors import StoppedError
from nestbench.losses import bce_dice
from nestbench.machine import Plan
from nestbench.machine.replay import SHAPES, Replayed
from nestbench.model import answering, build
from nestbench.study.schema import Recipe
from nestbench.train import Keeper, fit, gradients, masks_lesson, training_step

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a CUDA GPU")

EAGER = Plan("cuda", "float32", "contiguous", 1)
REPLAYED = replace(EAGER, replay=True)


def on_gpu(data):
    return replace(data, moments=data.moments.cuda())


def learnt(plan, training, validation, loss=bce_dice, **recipe):
    recipe = Recipe.model_validate({"learning_rate": 0.01} | recipe)
    return masks_lesson(on_gpu(training), on_gpu(validation), recipe, loss, 0, plan)


def trained(plan, block="modern", keeper=None, loss=bce_dice):
    """12 images in batches of 5: two shapes, and each comes again."""
    model = plan.place(network(block=block))
    plan.enter()
    epochs = list(fit(model, learnt(plan, squares(), squares(seed=1), loss, batch=5, epochs=4), keeper))
    return model, [(e.train_loss, e.validation_loss, e.validation_iou) for e in epochs]


def same(first, second):
    states = first.state_dict(), second.state_dict()
    return states[0].keys() == states[1].keys() and all(torch.equal(states[0][k], states[1][k]) for k in states[0])


WAYS = [(p, m) for p in ("float32", "bfloat16") for m in ("contiguous", "channels-last")]


@pytest.mark.parametrize("block", ["modern", "paper"])  # the paper's block draws dropout
@pytest.mark.parametrize(("precision", "memory_format"), WAYS)
def test_a_replayed_training_is_the_eager_one_to_the_bit(precision, memory_format, block):
    plans = [replace(plan, precision=precision, memory_format=memory_format) for plan in (EAGER, REPLAYED)]
    (eager, history), (replayed, again) = (trained(plan, block) for plan in plans)
    assert again == history
    assert same(eager, replayed)
    assert not torch.equal(weights(eager), weights(EAGER.place(network(block=block))))


@pytest.mark.parametrize("stop", [1, 4, 6, 9])
def test_a_replayed_training_that_was_stopped_ends_as_one_that_was_not(tmp_path, stop):
    whole, history = trained(REPLAYED, "paper")
    asked = iter(range(10**9))
    with pytest.raises(StoppedError):
        trained(REPLAYED, "paper", Keeper(tmp_path / "c", {}, lambda: next(asked) == stop, every=1e9))
    again, rest = trained(REPLAYED, "paper", Keeper(tmp_path / "c", {}))
    assert rest == history
    assert same(whole, again)


def test_a_loss_that_looks_at_its_value_is_trained_with_all_the_same():
    def curious(logits, masks):
        value = bce_dice(logits, masks)
        return value if float(value.detach()) > 0 else 2 * value

    (eager, history), (replayed, again) = (trained(plan, loss=curious) for plan in (EAGER, REPLAYED))
    assert again == history
    assert same(eager, replayed)


@pytest.mark.parametrize(("dims", "classes"), [(2, 1), (2, 4), (3, 3)])
def test_answers_are_the_same_for_every_shape_in_any_order(dims, classes):
    torch.manual_seed(0)
    model = EAGER.place(build("unet++ds", "plain:4", 2, classes=classes, dims=dims)).eval()
    eager, replayed = answering(model, EAGER), answering(model, REPLAYED)
    shapes = [(n, 1, *(side,) * dims) for n, side in [(1, 16), (2, 16), (1, 21), (3, 8)]]
    for turn in range(4):
        for shape in shapes[turn:] + shapes[:turn]:
            images = torch.randn(shape, device="cuda")
            for depth, values in eager(images).items():
                assert torch.equal(replayed(images)[depth], values)


def test_an_answer_stays_as_it_is_when_another_is_asked_for():
    model = EAGER.place(network()).eval()
    answer = answering(model, REPLAYED)
    first, second = torch.randn(2, 1, 1, 16, 16, device="cuda").unbind()
    for _ in range(3):
        kept = answer(first)[2]
        before = kept.clone()
        answer(second)
        assert torch.equal(kept, before)


def test_a_training_step_takes_the_weights_that_are_there_and_adds_no_gradients_up():
    torch.manual_seed(0)
    model, other = (REPLAYED.place(network()).train() for _ in range(2))
    images, masks = torch.randn(4, 1, 16, 16, device="cuda"), torch.randint(0, 2, (4, 16, 16), device="cuda")
    down, plain = gradients(model, bce_dice, REPLAYED), gradients(other, bce_dice, EAGER)
    optimisers = [torch.optim.SGD(one.parameters(), 0.1) for one in (model, other)]
    for step in range(6):
        losses = [float(training_step(d, o, images, masks)) for d, o in zip((down, plain), optimisers, strict=True)]
        assert losses[0] == losses[1]
        if step == 3:
            for one in (model, other):
                one.load_state_dict({name: value * 0.5 for name, value in one.state_dict().items()})
    assert same(model, other)


def test_no_more_shapes_are_kept_than_there_is_room_for():
    model = EAGER.place(network()).eval()
    replayed = Replayed(model, lambda images: tuple(model(images).values()))
    for side in range(16, 16 + 2 * SHAPES):
        for _ in range(3):
            images = torch.randn(1, 1, side, side, device="cuda")
            with torch.no_grad():
                assert torch.equal(replayed(images)[1], model(images)[2])
    assert len(replayed._recordings) == SHAPES


def test_windows_of_a_volume_train_as_ever_too():
    data = [
        on_gpu(
            feed_of(
                [torch.randint(0, 255, (1, 9, 20, 17), dtype=torch.uint8)],
                [torch.randint(0, 3, (9, 20, 17), dtype=torch.uint8)],
                patch=8,
            )
        )
        for _ in range(2)
    ]
    models = []
    for plan in (EAGER, REPLAYED):
        torch.manual_seed(1)
        models.append(plan.place(build("unet++ds", "plain:2", 2, classes=3, dims=3)))
        list(fit(models[-1], learnt(plan, *data, batch=4, epochs=2)))
    assert same(*models)
