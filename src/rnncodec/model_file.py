"""The one self-describing model file: safetensors with a JSON description in its metadata.

Plain types only, nothing that can execute code. :func:`fingerprint` names the weights.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rnncodec.errors import ConfigError, ModelError
from rnncodec.network import Network
from rnncodec.storage import replacing

KEY = "rnncodec"
FORMAT = 1


def save_network(
    path: str | Path,
    network: Network,
    *,
    dtype: torch.dtype | None = None,
    notes: dict[str, Any] | None = None,
) -> None:
    """Write a network and what is needed to build it again.

    Args:
        path: where to; an existing file is replaced as a whole.
        network: the codec.
        dtype: ``torch.float16`` halves the file; None keeps the weights as they are.
        notes: plain data for people (scores, settings); no reader depends on it.

    Raises:
        StorageError: it could not be written; nothing half-written is left.
    """
    description = {"format": FORMAT, "network": network.config, "notes": notes or {}}
    tensors = {
        name: tensor.detach().to("cpu", dtype or tensor.dtype).contiguous()
        for name, tensor in network.state_dict().items()
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={KEY: json.dumps(description, sort_keys=True)})


def load_network(path: str | Path) -> Network:
    """Read a network; its weights are float32 whatever the file holds.

    Raises:
        ModelError: no such file, not a model file, damaged, or from a newer version.
    """
    description, tensors = read(path)
    try:
        network = Network.from_config(description["network"])
    except ConfigError as error:
        raise ModelError(f"{path}: {error}") from error
    load_weights(network, tensors, source=path)
    return network


def load_weights(network: Network, tensors: dict[str, Tensor], *, source: str | Path) -> None:
    """Copy ``tensors`` into ``network``.

    Raises:
        ModelError: names or shapes differ, with the first differences.
    """
    own = network.state_dict()
    wrong = [f"{name}: missing from the file" for name in own if name not in tensors]
    wrong += [f"{name}: unknown to this architecture" for name in tensors if name not in own]
    wrong += [
        f"{name}: expected {tuple(own[name].shape)}, got {tuple(tensor.shape)}"
        for name, tensor in tensors.items()
        if name in own and own[name].shape != tensor.shape
    ]
    if wrong:
        shown = "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        raise ModelError(
            f"{source}: these weights are of another architecture than {network.config}: {shown}"
        )
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The description and the tensors of a model file.

    Raises:
        ModelError: no such file, not a model file, damaged, or from a newer version.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such model file")
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a model file, or damaged ({error})") from error
    if text is None:
        raise ModelError(f"{path}: a safetensors file, but not of rnncodec: no {KEY!r} metadata")
    try:
        description = json.loads(text)
        version = int(description["format"])
        description["network"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: its description is damaged ({error!r})") from error
    if version > FORMAT:
        raise ModelError(f"{path}: format {version}; this version reads up to {FORMAT}; upgrade")
    return description, tensors


def fingerprint(tensors: dict[str, Tensor]) -> bytes:
    """SHA-256 over names, types, shapes and little-endian values: 32 bytes that name weights."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.digest()
