import pytest
import torch

from nestbench.errors import RequestError
from nestbench.machine import Plan, choose_plan, cores, device_name, environment
from nestbench.model import build


def test_threads_are_shared_among_workers():
    assert choose_plan("cpu", workers=1).threads == cores()
    assert choose_plan("cpu", workers=10_000).threads == 1


def test_a_device_that_does_not_exist_is_refused_with_the_nearest():
    with pytest.raises(RequestError, match="unknown device 'cudda'; did you mean 'cuda'"):
        choose_plan("cudda")


def test_a_device_that_is_not_here_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RequestError, match="torch finds no CUDA GPU"):
        choose_plan("cuda")
    assert choose_plan("auto").device == "cpu"


@pytest.mark.parametrize("fast", [True, False])
def test_bfloat16_is_chosen_only_where_the_processor_has_it(monkeypatch, fast):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: fast)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    plan = choose_plan("cpu")
    assert (plan.precision == "bfloat16") == fast
    assert (plan.memory_format == "channels-last") == fast


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


def test_the_environment_names_processor_and_versions():
    found = environment(choose_plan("cpu"))
    assert found["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert found["device"] == device_name("cpu")
    assert {"nestbench", "timm", "optuna", "python", "cores", "platform"} <= set(found)


def test_volumes_and_their_kernels_follow_the_plan_too():
    plan = Plan("cpu", "bfloat16", "channels-last", 1)
    model = plan.place(build("unet++", "plain:2", depth=2, dims=3))
    assert model.nodes["x0_1"][0].weight.is_contiguous(memory_format=torch.channels_last_3d)
    volume = plan.arrange(torch.randn(2, 3, 4, 5, 6))
    assert volume.is_contiguous(memory_format=torch.channels_last_3d)
    assert Plan("cpu", "float32", "contiguous", 1).arrange(volume).is_contiguous()
