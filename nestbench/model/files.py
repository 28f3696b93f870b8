"""Files of weights: safetensors with the ModelSpec inside, so that the file alone rebuilds the network."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from nestbench.errors import RequestError
from nestbench.model.network import Network
from nestbench.model.spec import ModelSpec
from nestbench.results.atomic import replacing

_KEY = "nestbench"


def save(model: Network, path: Path | str) -> None:
    """Write weights and spec to one safetensors file, whole or not at all."""
    tensors = {name: t.detach().contiguous().cpu() for name, t in model.state_dict().items()}
    with replacing(Path(path)) as beside:
        save_file(tensors, beside, metadata={_KEY: json.dumps(model.spec.to_json())})


def load(path: Path | str) -> Network:
    """Rebuild the network that ``save`` wrote, on the CPU, in evaluation mode.

    Raises RequestError for a file that is missing, is not safetensors, or was not written by nestbench.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            described = (file.metadata() or {}).get(_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError) as error:
        raise RequestError(f"cannot read weights from '{path}': {error}") from error
    if described is None:
        raise RequestError(f"'{path}' holds weights, but not of a network that nestbench saved")
    with torch.random.fork_rng(devices=[]):
        model = Network(ModelSpec.from_json(json.loads(described)))
    model.load_state_dict(tensors)
    return model.eval()
