import torch

from nestbench.machine import Plan
from nestbench.model import build


@torch.no_grad()
def test_a_plan_decides_precision_and_format_but_not_the_weights():
    plan = Plan("cpu", "bfloat16", "channels-last", 1)
    model = build("unet", "plain:4", depth=1)
    plan.place(model)
    with plan.autocast():
        logits = model(torch.randn(1, 1, 16, 16))[1]
    assert logits.dtype == torch.bfloat16
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.nodes["x0_1"][0].weight.is_contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def test_bfloat16_answers_as_float32_does_but_for_rounding():
    torch.manual_seed(0)
    model, image = build("unet++ds", "plain:8", depth=3).eval(), torch.randn(2, 1, 32, 32)
    exact = model(image)
    with Plan("cpu", "bfloat16", "contiguous", 1).autocast():
        rounded = model(image)
    for depth, logits in exact.items():
        assert (rounded[depth].float() - logits).norm() < 0.05 * logits.norm()


def test_volumes_and_their_kernels_follow_the_plan_too():
    plan = Plan("cpu", "bfloat16", "channels-last", 1)
    model = plan.place(build("unet++", "plain:2", depth=2, dims=3))
    assert model.nodes["x0_1"][0].weight.is_contiguous(memory_format=torch.channels_last_3d)
    volume = plan.arrange(torch.randn(2, 3, 4, 5, 6))
    assert volume.is_contiguous(memory_format=torch.channels_last_3d)
    assert Plan("cpu", "float32", "contiguous", 1).arrange(volume).is_contiguous()
