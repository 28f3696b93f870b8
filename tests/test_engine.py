import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from nestbench import engine
from nestbench.engine import as_it_is, make_engine, plan_for
from nestbench.errors import RequestError
from nestbench.machine import Plan
from nestbench.model import build
from nestbench.study.schema import ENGINES

ROUNDING = 2.0**-7
"""bfloat16 keeps 8 bits of a number, and rounds every layer's."""


needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="the extra 'openvino' is not installed")


def network(name="unet++ds", encoder="plain:4", depth=2, **options):
    torch.manual_seed(0)
    return build(name, encoder, depth, **options).eval()


def plan(precision="float32", layout="contiguous"):
    return Plan("cpu", precision, layout, 1)


@pytest.mark.parametrize("layout", ["contiguous", "channels-last"])
@torch.no_grad()
def test_torch_answers_as_the_network_does_under_the_plan(layout):
    model, images = network(), torch.randn(2, 1, 17, 16)
    expected = model(images)
    found = make_engine(model, plan("float32", layout)).logits(images)
    assert found.keys() == expected.keys()
    for depth, logits in expected.items():
        torch.testing.assert_close(found[depth], logits, rtol=1e-4, atol=1e-5)


def test_torch_computes_in_the_plans_precision_and_answers_in_float32():
    model, seen = network(), []
    model.nodes["x0_1"].register_forward_hook(lambda *given: seen.append(given[-1].dtype))
    found = make_engine(model, plan("bfloat16", "channels-last")).logits(torch.randn(1, 1, 16, 16))
    assert seen == [torch.bfloat16]
    assert {logits.dtype for logits in found.values()} == {torch.float32}


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_torch_takes_weights_of_any_type(dtype):
    found = make_engine(network().to(dtype), plan()).logits(torch.randn(1, 1, 16, 16))
    assert {logits.dtype for logits in found.values()} == {torch.float32}


@torch.no_grad()
def test_a_network_as_it_is_keeps_its_type_and_is_left_in_evaluation_mode():
    model, images = network().double().train(), torch.randn(1, 1, 16, 16)
    found = as_it_is(model).logits(images)
    assert not model.training
    assert model.encoder.training is False
    torch.testing.assert_close(found[2], model(images.double())[2].float())


def test_an_engine_keeps_no_gradients():
    for one in (make_engine(network(), plan()), as_it_is(network())):
        assert not any(logits.requires_grad for logits in one.logits(torch.randn(1, 1, 16, 16)).values())


@torch.no_grad()
def equal_answers(ready, model, shapes):
    for shape in shapes:
        images = torch.randn(shape)
        expected, found = model(images), ready.logits(images)
        assert found.keys() == expected.keys()
        for depth, logits in expected.items():
            assert found[depth].dtype == torch.float32
            torch.testing.assert_close(found[depth], logits, rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def ready():
    return make_engine(network(), plan(), "openvino")


@needs_openvino
def test_it_answers_as_torch_does_whatever_the_batch_and_size(ready):
    equal_answers(ready, network(), [(1, 1, 16, 16), (3, 1, 33, 20), (1, 1, 4, 4)])


@needs_openvino
@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ({"name": "unet-e", "encoder": "plain:2", "dims": 3}, [(1, 1, 8, 8, 8), (2, 1, 9, 12, 5)]),
        ({"encoder": "timm:mobilenetv3_small_050", "in_channels": 3, "classes": 4}, [(1, 3, 40, 41)]),
    ],
    ids=["volumes", "timm"],
)
def test_it_takes_volumes_and_encoders_of_others(options, shapes):
    model = network(depth=1, **options)
    equal_answers(make_engine(model, plan(), "openvino"), model, shapes)


@needs_openvino
@torch.no_grad()
def test_in_bfloat16_it_errs_no_more_than_torch_does():
    model, images = network(), torch.randn(2, 1, 32, 32)
    exact = model(images)
    ours = make_engine(network(), plan("bfloat16", "channels-last")).logits(images)
    theirs = make_engine(network(), plan("bfloat16"), "openvino").logits(images)
    for depth, logits in exact.items():
        allowed = 2 * (ours[depth] - logits).abs().max() + ROUNDING * logits.abs().max()
        assert (theirs[depth] - logits).abs().max() <= allowed


@needs_openvino
def test_an_answer_is_not_overwritten_by_the_next(ready):
    first = ready.logits(torch.ones(1, 1, 16, 16))[2]
    kept = first.clone()
    ready.logits(torch.randn(1, 1, 16, 16))
    assert torch.equal(first, kept)


@needs_openvino
def test_a_network_that_it_cannot_take_is_refused(monkeypatch):
    monkeypatch.setattr(engine, "trace", lambda model: "no program")
    with pytest.raises(RequestError, match=r"^OpenVINO cannot take the network on 'plain:4': .+"):
        make_engine(network(), plan(), "openvino")


@needs_openvino
def test_nothing_is_told_to_its_makers(tmp_path: Path):
    program = (
        "import sys; from nestbench.engine import make_engine; from nestbench.machine import Plan;"
        "from nestbench.model import build;"
        "make_engine(build('unet:1', 'plain:1'), Plan('cpu', 'float32', 'contiguous', 1), 'openvino');"
        "assert sys.modules['openvino_telemetry'] is None;"
        "assert not any(name.startswith('openvino_telemetry.') for name in sys.modules)"
    )
    environment = {"HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, env=environment, timeout=600)
    assert not (tmp_path / "intel").exists()


def installed(monkeypatch, answer):
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: answer)


def test_an_unknown_engine_is_answered_with_the_nearest():
    with pytest.raises(RequestError, match="unknown engine 'openvno'; did you mean 'openvino'"):
        plan_for("openvno", "cpu")


def test_an_engine_that_is_not_installed_says_how_to_get_it(monkeypatch):
    installed(monkeypatch, None)
    with pytest.raises(RequestError, match=r"pip install 'nestbench\[openvino\]'"):
        plan_for("openvino", "auto")
    assert plan_for("torch", "cpu").device == "cpu"


def test_openvino_stays_on_the_cpu_where_a_gpu_is_there(monkeypatch):
    installed(monkeypatch, "spec")
    monkeypatch.setattr(engine, "choose_plan", lambda device, cache: Plan(device, "float32", "contiguous", 1))
    assert plan_for("openvino", "auto").device == "cpu"
    assert plan_for("torch", "cuda").device == "cuda"
    with pytest.raises(RequestError, match="computes on the CPU, and the device is 'cuda'"):
        plan_for("openvino", "cuda")


def test_the_engines_are_those_that_a_plan_is_found_for(monkeypatch):
    installed(monkeypatch, "spec")
    assert {plan_for(kind, "cpu").device for kind in ENGINES} == {"cpu"}
