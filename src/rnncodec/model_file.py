"""The one self-describing model file: safetensors with a JSON description in its metadata.

Plain types only, nothing that can execute code. The file holds a network and, where it has one,
the integers of its entropy model.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rnncodec.entropy.integer import IntegerModel
from rnncodec.errors import ConfigError, ModelError
from rnncodec.network import Network
from rnncodec.storage import replacing

KEY = "rnncodec"
FORMAT = 1
NETWORK, ENTROPY = "network.", "entropy."
ENCODER_ONLY = ("encoder.", "binarizer.")
FINGERPRINT_BYTES = 16


@dataclass(frozen=True)
class Model:
    """What a model file holds.

    Attributes:
        network: the codec; float32, whatever the file stores.
        entropy: the integer entropy model, or None: bits are written as they are.
        notes: plain data for people (score, settings, cost); no reader depends on it.
    """

    network: Network
    entropy: IntegerModel | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def fingerprint(self) -> bytes:
        """16 bytes of a SHA-256 that name all a decoder needs: files say which model reads them.

        Over the descriptions of network and entropy model, and over the values of all weights
        but the encoder's: another encoder writes files that the same decoder reads.
        """
        config = {"network": self.network.config, "entropy": None}
        weights = {
            NETWORK + name: tensor
            for name, tensor in self.network.state_dict().items()
            if not name.startswith(ENCODER_ONLY)
        }
        if self.entropy is not None:
            config["entropy"], integers = self.entropy.state()
            weights |= {ENTROPY + name: tensor for name, tensor in integers.items()}
        digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
        for name in sorted(weights):
            value = weights[name].detach().cpu().contiguous()
            digest.update(f"{name}:{value.dtype}:{tuple(value.shape)};".encode())
            digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.digest()[:FINGERPRINT_BYTES]


def save(path: str | Path, model: Model, *, dtype: torch.dtype | None = None) -> None:
    """Write a model and what is needed to build it again.

    Args:
        path: where to; an existing file is replaced as a whole.
        model: what to write.
        dtype: of the network's weights; ``torch.float16`` halves the file, None keeps them as
            they are. Rounded weights are other weights, with a fingerprint of their own.

    Raises:
        StorageError: it could not be written; nothing half-written is left.
    """
    tensors = {
        NETWORK + name: tensor.detach().to("cpu", dtype or tensor.dtype).contiguous()
        for name, tensor in model.network.state_dict().items()
    }
    description: dict[str, Any] = {
        "format": FORMAT,
        "network": model.network.config,
        "entropy": None,
        "notes": model.notes,
    }
    if model.entropy is not None:
        description["entropy"], integers = model.entropy.state()
        tensors |= {ENTROPY + name: tensor.contiguous() for name, tensor in integers.items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={KEY: json.dumps(description, sort_keys=True)})


def load(path: str | Path) -> Model:
    """Read a model.

    Raises:
        ModelError: no such file, not a model file, damaged, or from a newer version.
    """
    description, tensors = read(path)
    try:
        network = Network.from_config(description["network"])
        load_weights(network, part(tensors, NETWORK), source=path)
        entropy = None
        if description["entropy"] is not None:
            entropy = IntegerModel.from_state(description["entropy"], part(tensors, ENTROPY))
    except ConfigError as error:
        raise ModelError(f"{path}: {error}") from error
    return Model(network, entropy, description["notes"])


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with ``prefix``, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def load_weights(network: Network, weights: dict[str, Tensor], *, source: str | Path) -> None:
    """Copy ``weights`` into ``network``.

    Raises:
        ModelError: names or shapes differ, with the first differences.
    """
    own = network.state_dict()
    wrong = [f"{name}: missing from the file" for name in own if name not in weights]
    wrong += [f"{name}: unknown to this architecture" for name in weights if name not in own]
    wrong += [
        f"{name}: expected {tuple(own[name].shape)}, got {tuple(tensor.shape)}"
        for name, tensor in weights.items()
        if name in own and own[name].shape != tensor.shape
    ]
    if wrong:
        shown = "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        raise ModelError(
            f"{source}: these weights are of another architecture than {network.config}: {shown}"
        )
    network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})


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
    return parse_description(text, path), tensors


def parse_description(text: str, path: Path) -> dict[str, Any]:
    """The JSON description of a model file, its keys checked.

    Raises:
        ModelError: damaged, or of a newer format.
    """
    try:
        description = json.loads(text)
        version = int(description["format"])
        if version > FORMAT:
            raise ModelError(
                f"{path}: format {version}; this version reads up to {FORMAT}; upgrade rnncodec"
            )
        wanted: dict[str, Any] = {"network": dict, "entropy": (dict, type(None)), "notes": dict}
        for key, kind in wanted.items():
            if not isinstance(description[key], kind):
                raise TypeError(f"{key} is a {type(description[key]).__name__}")
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: its description is damaged ({error!r})") from error
    return {key: description[key] for key in ("format", *wanted)}
