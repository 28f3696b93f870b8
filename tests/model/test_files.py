import json
import pickle
import struct
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from nestbench.errors import RequestError
from nestbench.instances.separate import Separation
from nestbench.instances.ways import Least
from nestbench.model import build, load, prune, save
from nestbench.model.build import construct
from nestbench.model.files import SPEC, UNSAID, USE, Use, describe, read_use
from nestbench.model.spec import ModelSpec, OutsideSpec
from nestbench.topology import topology


@torch.no_grad()
def test_the_file_alone_rebuilds_the_network(tmp_path):
    model = build("unet++ds", "plain:4", depth=3, classes=3, in_channels=2).eval()
    save(model, tmp_path / "weights.safetensors")
    again = load(tmp_path / "weights.safetensors")
    image = torch.randn(1, 2, 24, 24)
    assert again.spec == model.spec
    assert not again.training
    for depth, logits in model(image).items():
        assert torch.equal(again(image)[depth], logits)


@torch.no_grad()
def test_a_widened_and_a_pruned_network_survive_their_files(tmp_path):
    wide = build("wide-unet", "timm:resnet10t", depth=2).eval()
    small = prune(build("unet-e", "plain:4"), 2).eval()
    for model in (wide, small):
        save(model, tmp_path / "weights.safetensors")
        again = load(tmp_path / "weights.safetensors")
        image = torch.randn(1, 1, 32, 32)
        assert again.spec == model.spec
        assert torch.equal(again(image)[2], model(image)[2])


@torch.no_grad()
def test_a_network_of_volumes_survives_its_file(tmp_path):
    model = build("unet+", "plain:2", depth=2, dims=3).eval()
    save(model, tmp_path / "weights.safetensors")
    volume = torch.randn(1, 1, 8, 9, 10)
    assert torch.equal(load(tmp_path / "weights.safetensors")(volume)[2], model(volume)[2])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("encoder", ["plain:2", "timm:test_vit"])
def test_a_network_keeps_its_type(dtype, encoder, tmp_path):
    model = build("unet++ds", encoder, depth=2).to(dtype).eval()
    save(model, tmp_path / "weights.safetensors")
    again = load(tmp_path / "weights.safetensors")
    held = dict(again.named_parameters()) | dict(again.named_buffers())
    for name, tensor in (dict(model.named_parameters()) | dict(model.named_buffers())).items():
        assert held[name].dtype == tensor.dtype, name
        assert torch.equal(held[name], tensor), name
    assert all(parameter.requires_grad for parameter in again.parameters())


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ((torch.float32, torch.float64), torch.float64),
        ((torch.float16, torch.bfloat16), torch.float32),
        ((torch.float8_e4m3fn, torch.float16), torch.float16),
        ((torch.float8_e4m3fn, torch.float8_e4m3fn), torch.float32),
    ],
)
def test_weights_of_several_types_make_a_network_of_one_that_holds_them_all(types, expected, tmp_path):
    model = build("unet", "plain:2", depth=1)
    save(model, tmp_path / "weights.safetensors")
    tensors = load_file(tmp_path / "weights.safetensors")
    mixed = {name: t.to(types[i % 2]) if t.is_floating_point() else t for i, (name, t) in enumerate(tensors.items())}
    save_file(mixed, tmp_path / "weights.safetensors", metadata=describe(model.spec, UNSAID))
    again = load(tmp_path / "weights.safetensors")
    assert {parameter.dtype for parameter in again.parameters()} == {expected}
    for name, tensor in again.state_dict().items():
        assert torch.equal(tensor, mixed[name].to(tensor.dtype)), name


# Shapes of an mit_b0 are not found without drawing its weights.
@pytest.mark.parametrize(("name", "encoder", "depth"), [("unet", "plain:2", 1), ("smp:Unet", "smp:mit_b0", 3)])
def test_loading_leaves_the_random_numbers_alone(name, encoder, depth, tmp_path):
    save(build(name, encoder, depth), tmp_path / "weights.safetensors")
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    load(tmp_path / "weights.safetensors")
    assert torch.equal(torch.rand(1), expected)


@pytest.fixture
def small(tmp_path):
    """A file of weights, and a function that writes it again with other metadata or tensors."""
    path = tmp_path / "weights.safetensors"
    save(build("unet++ds", "plain:2", depth=2), path, Use(96, ("background", "cell")))
    spec, tensors = build("unet++ds", "plain:2", depth=2).spec.to_json(), load_file(path)

    def written(described=None, more=None, without=None, **changed):
        metadata = {SPEC: json.dumps(spec | changed) if described is None else described}
        kept = {name: tensor for name, tensor in tensors.items() if name != without} | (more or {})
        save_file(kept, path, metadata=metadata)
        return path

    return written


@pytest.mark.parametrize("apart", [None, Least(0.7), Separation("watershed", 0.3, smallest=5), Separation()])
def test_what_is_known_of_the_training_travels_with_the_weights(apart, tmp_path):
    model = build("unet", "plain:2", depth=1)
    about = Use(96, ("background", "cell", "Zellkern, groß"), apart=apart)
    save(model, tmp_path / "weights.safetensors", about)
    assert read_use(tmp_path / "weights.safetensors") == about


def test_a_file_written_before_such_things_were_kept_still_loads(small):
    path = small()
    assert load(path).spec.encoder == "plain:2"
    assert read_use(path) == UNSAID


@pytest.mark.parametrize(
    "use",
    [
        '{"size": "wide"}',
        '{"size": 0}',
        '{"size": true}',
        '{"classes": [1]}',
        '{"apart": {"method": "by eye"}}',
        '{"apart": {"method": "watershed", "of": "tomorrow"}}',
        '{"apart": {"least": 0.7, "of": "tomorrow"}}',
        "[]",
        "{",
    ],
)
def test_words_on_the_training_that_make_no_sense_are_refused(use, tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "weights.safetensors", metadata={USE: use})
    with pytest.raises(RequestError, match=r"weights\.safetensors"):
        read_use(tmp_path / "weights.safetensors")


def test_a_file_that_is_no_network_of_ours_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(RequestError, match="not of a network that nestbench saved"):
        load(path)


def test_a_torn_or_missing_file_is_refused_by_name(tmp_path, small):
    path, truncated = tmp_path / "torn.safetensors", small()
    path.write_bytes(b"\x08\x00")
    truncated.write_bytes(truncated.read_bytes()[:-1])
    for wrong in (path, truncated, tmp_path / "missing.safetensors", tmp_path):
        with pytest.raises(RequestError, match="cannot read weights from"):
            load(wrong)


class Bomb:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (type(self.mark).touch, (self.mark,))


def pickled(mark):
    return pickle.dumps(Bomb(mark))


def of_torch(mark):
    torch.save({"state_dict": Bomb(mark)}, mark.with_suffix(".pt"))
    return mark.with_suffix(".pt").read_bytes()


def zipped(mark):
    with zipfile.ZipFile(mark.with_suffix(".zip"), "w") as file:
        file.writestr("data.pkl", pickled(mark))
    return mark.with_suffix(".zip").read_bytes()


def with_header(header):
    return struct.pack("<Q", len(header)) + header


OUTSIDE = b'{"a": {"dtype": "F32", "shape": [1000000000], "data_offsets": [0, 4000000000]}}'
NEGATIVE = b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}'
HOSTILE = {
    "a pickle": pickled,
    "a checkpoint of torch": of_torch,
    "a zip": zipped,
    "a header of 16 exabytes": lambda _: struct.pack("<Q", 2**64 - 1) + b"{}",
    "a header that is not JSON": lambda _: with_header(b"{{{{"),
    "a header of deep nesting": lambda _: with_header(b"[" * 100_000),
    "a tensor beyond the end": lambda _: with_header(OUTSIDE),
    "a negative side": lambda _: with_header(NEGATIVE) + bytes(4),
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_and_nothing_in_it_runs(kind, tmp_path):
    mark, path = tmp_path / "mark", tmp_path / "weights.safetensors"
    path.write_bytes(HOSTILE[kind](mark))
    with pytest.raises(RequestError, match="it is no safetensors file, or a damaged one"):
        load(path)
    assert not mark.exists()


GRID = {"skips": "all", "heads": [1, 2]}
WRONG = {
    "not JSON": ({"described": "{"}, "not JSON"),
    "nested without end": ({"described": "[" * 100_000}, "not JSON"),
    "a list": ({"described": "[]"}, "must be an object"),
    "an empty object": ({"described": "{}"}, "cannot be built here"),
    "a field that does not exist": ({"colour": "red"}, "colour"),
    "an unknown block": ({"block": "modem"}, "did you mean 'modern'"),
    "an encoder that is not installed": ({"encoder": "pooled:8"}, "unknown encoder 'pooled'"),
    "an encoder by a path": ({"encoder": "timm:local-dir:evil"}, "local-dir"),
    "depth 99": ({"topology": GRID | {"heads": [99]}}, "not between 1 and 5"),
    "no heads": ({"topology": GRID | {"heads": []}}, "at least one"),
    "heads that are words": ({"topology": GRID | {"heads": ["1"]}}, "cannot be built here"),
    "a grid without skips": ({"topology": {"heads": [1]}}, "skips"),
    "negative channels": ({"in_channels": -3}, "in_channels is -3"),
    "half a channel": ({"in_channels": 1.5}, "cannot be built here"),
    "a width of words": ({"width": "wide"}, "cannot be built here"),
    "four dimensions": ({"dims": 4}, "dims is 4"),
    "dimensions as a float": ({"dims": 2.0}, "dims is 2.0"),
    "channels that are true": ({"in_channels": True}, "in_channels is True"),
    "an overflowing width": ({"encoder": f"plain:{10**20}"}, "cannot be built here"),
    "a huge encoder": ({"encoder": "plain:1000000"}, "instead of"),
    "a huge width": ({"width": 1_000_000}, r"width is 1000000, but it holds \d+ values in all"),
    "a huge width of one level": ({"width": [1, 1_000_000]}, "width is 1000000, but it holds"),
    "channels of which it holds no value": ({"in_channels": 1_000_000}, "in_channels is 1000000, but it holds"),
    "classes of which it holds no value": ({"classes": 1_000_000}, "classes is 1000000, but it holds"),
    "classes without end": ({"classes": 10**4000}, "classes is 1000"),
    "another block": ({"block": "paper"}, "shape|holds no"),
    "another depth": ({"topology": GRID | {"heads": [1, 2, 3]}}, r"holds no 'encoder\.levels\.3"),
    "more channels": ({"in_channels": 3}, r"'encoder\.levels\.0\.0\.weight' has the shape \[2, 1, 3, 3\] instead of"),
    "three dimensions": ({"dims": 3}, r"\[2, 1, 3, 3\] instead of \[2, 1, 3, 3, 3\]"),
    "a tensor less": ({"without": "heads.2.bias"}, r"holds no 'heads\.2\.bias'"),
    "a tensor more": ({"more": {"spare": torch.zeros(1)}}, "holds 'spare' besides"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_weights_that_do_not_fit_their_words_are_refused_in_one_sentence(kind, small):
    changes, words = WRONG[kind]
    with pytest.raises(RequestError, match=words) as raised:
        load(small(**changes))
    said = str(raised.value)
    assert "weights.safetensors" in said
    assert "\n" not in said
    assert len(said) < 600


def test_a_file_that_is_refused_builds_no_network(small, monkeypatch):
    path = small(encoder="plain:1000000")
    monkeypatch.setattr(torch.nn.init, "kaiming_normal_", real_memory_is_forbidden)
    with pytest.raises(RequestError, match="instead of"):
        load(path)


@pytest.mark.parametrize("key", ["in_channels", "classes"])
def test_a_small_file_that_names_many_channels_builds_nothing_at_all(key, tmp_path, monkeypatch):
    path, spec = tmp_path / "weights.safetensors", OutsideSpec("smp:Unet", "smp:mobilenet_v2", 4, **{key: 1_000_000})
    save_file({"a": torch.zeros(7)}, path, metadata=describe(spec, UNSAID))
    monkeypatch.setattr("nestbench.model.files.construct", lambda _: pytest.fail("it was built"))
    with pytest.raises(RequestError, match=f"{key} is 1000000, but it holds 7 values in all"):
        load(path)


def test_a_width_of_levels_that_were_pruned_away_may_be_large(tmp_path):
    model = construct(ModelSpec(topology("unet", 1), "plain:2", width=(2, 1_000_000)))
    save(model, tmp_path / "weights.safetensors")
    assert load(tmp_path / "weights.safetensors").spec == model.spec


def real_memory_is_forbidden(tensor, **_):
    assert tensor.is_meta
