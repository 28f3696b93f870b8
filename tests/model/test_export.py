"""A sample of members and depths; with NESTBENCH_EVERY_EXPORT set (make exports) every one, which takes minutes."""

import json
import os
import shutil

import onnx
import onnxruntime
import pytest
import torch

from nestbench.cli import answer
from nestbench.errors import RequestError
from nestbench.model import build, export, prune, save
from nestbench.model.build import specify
from nestbench.model.export import TOLERANCE, least_side, trace, write_onnx, write_torch
from nestbench.model.files import SPEC, USE, Use
from nestbench.model.spec import read_spec
from nestbench.topology import MEMBERS

EVERY = [(name, depth, dims) for name in MEMBERS for depth in (1, 2, 3, 4) for dims in (2, 3)]
SAMPLED = "NESTBENCH_EVERY_EXPORT" not in os.environ
SHALLOWEST = [(name, 1, 2) for name in MEMBERS]
TRACED = [*SHALLOWEST, ("unet", 2, 2), ("unet-e", 2, 2), ("unet+", 3, 2), ("unet++ds", 2, 3)] if SAMPLED else EVERY
COMPILED = [*SHALLOWEST, ("unet++ds", 2, 2), ("unet-e", 1, 3)] if SAMPLED else EVERY
IN_ONNX = [("unet-e", 1, 3)] if SAMPLED else EVERY
# Encoders and networks that pad what they are given: to a least size, to a multiple.
PADDED = [("unet", "timm:test_convnext", 2)]
if not SAMPLED:
    PADDED += [("unet++ds", "timm:test_vit", 4), ("unet", "timm:test_vit", 2), ("smp:Unet", "smp:vgg11", 3)]
    PADDED += [
        ("smp:UnetPlusPlus", "timm:resnet10t", 4),
        ("smp:FPN", "smp:vgg11", 3),
        ("smp:Linknet", "timm:resnet10t", 2),
    ]
ABOUT = Use(96, ("background", "cell"))


def network(name, depth=2, dims=2, encoder="plain:2", **options):
    torch.manual_seed(0)
    return build(name, encoder, depth, dims=dims, **options).eval()


def images(model):
    """Even, odd and small sizes, none of them that of the tracing."""
    least, dims = 2 ** (model.spec.depth + 1), model.spec.dims
    sizes = [(48, 80, 32), (65, 49, 33), (least, least + 1, least)]
    shapes = [(batch, model.spec.in_channels, *size[:dims]) for batch, size in zip((1, 2, 3), sizes, strict=True)]
    return [torch.randn(shape) for shape in shapes]


@torch.no_grad()
def assert_same(model, other, tolerance=0.0):
    for image in images(model):
        ours, theirs = model(image), other(image)
        assert list(ours) == list(theirs)
        for depth, logits in ours.items():
            torch.testing.assert_close(theirs[depth], logits, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("name", "depth", "dims"), TRACED)
def test_every_member_is_one_graph_for_any_batch_and_size(name, depth, dims):
    model = network(name, depth, dims, in_channels=2, classes=3)
    assert_same(model, trace(model).module())


@pytest.mark.parametrize(
    "options", [{"block": "paper"}, {"block": "paper", "dims": 3, "depth": 1}, {"encoder": "timm:resnet10t"}], ids=str
)
def test_every_block_and_encoder_is_one_graph(options):
    model = network("unet++ds", **options)
    assert_same(model, trace(model).module(), 1e-5)


@pytest.mark.parametrize(("name", "encoder", "depth"), PADDED)
def test_what_pads_its_images_is_one_graph_for_any_batch_and_size(name, encoder, depth):
    model = network(name, depth, encoder=encoder, in_channels=3)
    assert_same(model, trace(model).module(), 1e-5)


@pytest.mark.parametrize(("name", "depth", "dims"), COMPILED)
def test_every_member_compiles_without_a_break(name, depth, dims):
    torch.compiler.reset()
    model = network(name, depth, dims)
    assert_same(model, torch.compile(model, fullgraph=True, backend="eager", dynamic=True))


@pytest.mark.skipif(SAMPLED, reason="a real compilation takes a minute: make exports")
@pytest.mark.skipif(
    not any(map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))), reason="Inductor needs a C++ compiler"
)
def test_what_torch_compiles_by_default_answers_as_its_source(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.compiler.reset()
    model, image = network("unet++ds", depth=1), torch.randn(2, 1, 17, 8)
    compiled = torch.compile(model, fullgraph=True)
    with torch.no_grad():
        ours, theirs = model(image), compiled(image)
    assert list(theirs) == [1]
    torch.testing.assert_close(theirs[1], ours[1], rtol=0, atol=1e-5)
    assert list(tmp_path.rglob("*.so")), "nothing was compiled"


@pytest.mark.parametrize(("name", "depth", "dims"), IN_ONNX)
def test_onnx_runtime_answers_as_every_member_does(name, depth, dims, tmp_path):
    model = network(name, depth, dims)
    write_onnx(model, tmp_path / "network.onnx")
    assert_same(model, in_onnxruntime(tmp_path / "network.onnx"), TOLERANCE)


def in_onnxruntime(path):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(image):
        outputs = session.run(None, {session.get_inputs()[0].name: image.numpy()})
        return {int(name.removeprefix("L")): torch.from_numpy(o) for name, o in zip(names, outputs, strict=True)}

    return run


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A network in both formats."""
    folder = tmp_path_factory.mktemp("exported")
    model = network("unet++ds", in_channels=3)
    differences = write_torch(model, folder / "n.pt2", ABOUT), write_onnx(model, folder / "n.onnx", ABOUT)
    return model, folder, differences


def test_what_was_written_has_been_compared_with_its_source(written):
    _, _, (of_torch, of_onnx) = written
    assert 0 <= of_torch < TOLERANCE
    assert 0 < of_onnx < TOLERANCE


def test_onnx_names_its_input_and_outputs_and_leaves_batch_and_size_open(written):
    model, folder, _ = written
    graph = onnx.load(folder / "n.onnx").graph
    onnx.checker.check_model(str(folder / "n.onnx"))
    assert [i.name for i in graph.input] == ["image"]
    assert [o.name for o in graph.output] == ["L1", "L2"]
    batch, channels, *sides = graph.input[0].type.tensor_type.shape.dim
    assert channels.dim_value == 3
    assert all(side.dim_param for side in (batch, *sides))
    assert_same(model, in_onnxruntime(folder / "n.onnx"), TOLERANCE)


def test_onnx_carries_spec_classes_and_size(written):
    model, folder, _ = written
    metadata = {entry.key: json.loads(entry.value) for entry in onnx.load(folder / "n.onnx").metadata_props}
    assert read_spec(metadata[SPEC]) == model.spec
    assert metadata[USE]["size"] == 96
    assert metadata[USE]["classes"] == ["background", "cell"]


def test_the_program_of_torch_answers_and_carries_the_same(written):
    model, folder, _ = written
    extra = {SPEC: "", USE: ""}
    program = torch.export.load(folder / "n.pt2", extra_files=extra)
    assert_same(model, program.module())
    assert read_spec(json.loads(extra[SPEC])) == model.spec
    assert json.loads(extra[USE])["size"] == 96


def test_a_pruned_network_is_exported_as_one_of_its_own():
    whole = network("unet++ds")
    program = trace(prune(whole, 1)).module()
    with torch.no_grad():
        image = torch.randn(1, 1, 21, 32)
        assert list(program(image)) == [1]
        assert torch.equal(program(image)[1], whole(image)[1])


def test_exporting_leaves_the_network_as_it_was():
    model = network("unet", depth=1).double().train()
    trace(model)
    assert model.training
    assert {p.dtype for p in model.parameters()} == {torch.float64}


def test_a_network_that_answers_otherwise_is_not_written(tmp_path, monkeypatch):
    model, other = network("unet", depth=1), network("unet", depth=1)
    torch.nn.init.ones_(other.heads["1"].bias)
    program = trace(other)
    monkeypatch.setattr(export, "trace", lambda _: program)
    with pytest.raises(RequestError, match="differs from its source by 1"):
        write_torch(model, tmp_path / "n.pt2")
    assert not list(tmp_path.iterdir())


def test_a_network_that_cannot_be_traced_is_refused_with_the_reason(tmp_path):
    model = network("unet", depth=1)
    model.encoder.forward = lambda image: [image] * int(image.sum())
    with pytest.raises(RequestError, match=r"^the network on encoder 'plain:2' cannot be exported: "):
        write_torch(model, tmp_path / "n.pt2")
    assert not list(tmp_path.iterdir())


def test_a_network_of_another_library_that_cannot_be_traced_is_refused_by_its_name(tmp_path):
    model = network("smp:Unet", encoder="timm:resnet10t")
    model.inner.forward = lambda image: image * int(image.sum())
    with pytest.raises(RequestError, match=r"^'smp:Unet' on encoder 'timm:resnet10t' cannot be exported: "):
        write_torch(model, tmp_path / "n.pt2")
    assert not list(tmp_path.iterdir())


def test_a_program_for_one_size_alone_is_not_written(tmp_path, monkeypatch):
    model = network("unet", depth=1)
    program = torch.export.export(model, (torch.zeros(2, 1, 8, 8),), strict=False)
    monkeypatch.setattr(export, "trace", lambda _: program)
    with pytest.raises(RequestError, match="on encoder 'plain:2' was exported, but fails at 4 x 4 pixels: "):
        write_torch(model, tmp_path / "n.pt2")
    assert not list(tmp_path.iterdir())


def test_images_are_taken_from_twice_the_coarsest_stride_or_from_what_the_network_needs():
    assert [least_side(specify("unet", "plain:2", depth)) for depth in (1, 2, 4)] == [4, 8, 32]
    assert least_side(specify("smp:PAN", "timm:resnet10t", 4)) == 128


@pytest.mark.parametrize("form", ["torch", "onnx"])
def test_a_file_of_weights_of_another_library_is_exported_by_the_command(form, tmp_path, capsys):
    model = network("smp:Unet", encoder="timm:resnet10t")
    weights, out = tmp_path / "weights.safetensors", tmp_path / "exported"
    save(model, weights, ABOUT)
    assert answer(["model", "export", str(weights), "--format", form, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{out}: L2; largest difference to its source ")
    assert said.endswith("; takes any batch of images from 8 pixels a side\n")
    assert_same(model, in_onnxruntime(out) if form == "onnx" else torch.export.load(out).module(), TOLERANCE)


def test_without_the_extra_one_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"onnx and onnxscript must be installed: pip install 'nestbench\[export\]'"):
        write_onnx(network("unet", depth=1), tmp_path / "n.onnx")


@pytest.mark.skipif(SAMPLED, reason="it takes minutes: NESTBENCH_EVERY_EXPORT=1")
def test_what_onnx_runtime_cannot_run_is_refused_in_silence(tmp_path, capfd):
    model = network("smp:PSPNet", 3, encoder="timm:resnet10t", in_channels=3)
    with pytest.raises(RequestError, match=r"^'smp:PSPNet' on encoder 'timm:resnet10t' was exported, but fails at"):
        write_onnx(model, tmp_path / "network.onnx")
    assert capfd.readouterr().err == ""
    assert not (tmp_path / "network.onnx").exists()
