"""The one self-describing model file: safetensors with a JSON description in its metadata.

Plain types only, nothing that can execute code. The file holds a network and, where it has one,
the integers of its entropy model.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from rnncodec import plugins
from rnncodec.entropy.integer import IntegerModel
from rnncodec.entropy.model import model_class
from rnncodec.errors import ConfigError, ModelError, RNNCodecWarning
from rnncodec.machine.storage import replacing
from rnncodec.models.model_description import FORMAT, KEY, describe, opened
from rnncodec.network import cells, families, recon
from rnncodec.network.autoencoder import Binarizer, Network

NETWORK, ENTROPY = "network.", "entropy."
ENCODER_ONLY = (NETWORK + "encoder.", NETWORK + "binarizer.")
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
        return fingerprint(*self.state())

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The descriptions of network and entropy model, and all tensors by name."""
        config = {"network": self.network.config, "entropy": None}
        tensors = {NETWORK + name: value for name, value in self.network.state_dict().items()}
        if self.entropy is not None:
            config["entropy"], integers = self.entropy.state()
            tensors |= {ENTROPY + name: value for name, value in integers.items()}
        return config, tensors


def fingerprint(config: dict[str, Any], tensors: dict[str, Tensor]) -> bytes:
    """See :meth:`Model.fingerprint`; of tensors as they are loaded: the network's in float32."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for name in sorted(tensors):
        if name.startswith(ENCODER_ONLY):
            continue
        value = tensors[name].detach().cpu()
        value = (value.float() if name.startswith(NETWORK) else value).contiguous()
        digest.update(f"{name}:{value.dtype}:{tuple(value.shape)};".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.digest()[:FINGERPRINT_BYTES]


def save(path: str | os.PathLike[str], model: Model, *, dtype: torch.dtype | None = None) -> None:
    """Write a model and what is needed to build it again.

    Args:
        path: where to; an existing file is replaced as a whole.
        model: what to write.
        dtype: of the network's weights; ``torch.float16`` halves the file, None keeps them as
            they are. Rounded weights are other weights, with a fingerprint of their own.

    Raises:
        ModelError: a weight is not finite, as it is or as ``dtype``.
        StorageError: it could not be written; nothing half-written is left.
        ConfigError: no path; a dtype that is not of floating point.
    """
    if not isinstance(path, str | os.PathLike):
        raise ConfigError(f"{type(path).__name__}: expected the path of a file to write")
    if dtype is not None and not getattr(dtype, "is_floating_point", False):
        raise ConfigError(f"dtype={dtype!r}: expected one of floating point, as torch.float16")
    config, tensors = model.state()
    for name, tensor in tensors.items():
        as_stored = (dtype or tensor.dtype) if name.startswith(NETWORK) else tensor.dtype
        tensors[name] = tensor.detach().to("cpu", as_stored).contiguous()
    require_finite(tensors, source=path)
    stated = fingerprint(config, tensors).hex()
    description = {"format": FORMAT, **config, "notes": model.notes, "fingerprint": stated}
    if used := plugins_of(config):
        description["plugins"] = used
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={KEY: json.dumps(description, sort_keys=True)})


def load(path: str | Path) -> Model:
    """Read a model.

    Raises:
        ModelError: no such file, not a model file, damaged, or from a newer version.
    """
    description, tensors = read(path)
    try:
        require_plugins(description["plugins"], source=path)
        with torch.device("meta"):  # no memory before the file is known to hold what fills it
            network = Network.from_config(description["network"])
        load_weights(network, part(tensors, NETWORK), source=path)
        if description["plugins"]:  # what they have beside weights is in no file: now for real
            with torch.random.fork_rng(devices=[]):
                network = Network.from_config(description["network"])
            load_weights(network, part(tensors, NETWORK), source=path)
        entropy = None
        if description["entropy"] is not None:
            entropy = IntegerModel.from_state(description["entropy"], part(tensors, ENTROPY))
    except ConfigError as error:
        raise ModelError(f"{path}: {error}") from error
    model, stated = Model(network, entropy, description["notes"]), description["fingerprint"]
    if stated is not None and stated != (own := model.fingerprint().hex()):
        raise ModelError(
            f"{path}: damaged or altered: it says that its fingerprint is {stated}, but its "
            f"weights have {own}"
        )
    return model


def plugins_of(config: dict[str, Any]) -> list[dict[str, str]]:
    """Where the parts of a model come from that are no part of this package."""
    found: dict[str, type] = {
        "cells": families.by_name(cells, cells.Cell, config["network"]["cell"]["name"]),
        "recons": families.by_name(
            recon, recon.Reconstruction, config["network"]["recon"]["name"]
        ),
    }
    if binarizer := config["network"].get("binarizer"):
        found["binarizers"] = families.outside("binarizers", Binarizer, binarizer["name"])
    if config["entropy"] is not None:
        found["entropy_models"] = model_class(config["entropy"]["name"])
    return [
        {"group": kind, "name": plugins.name_of(each), **plugins.origin(plugins.path_of(each))}
        for kind, each in found.items()
        if plugins.is_outside(each)
    ]


def require_plugins(used: list[dict[str, str]], *, source: str | Path) -> None:
    """Refuse a model whose parts from outside are not known here.

    Raises:
        ModelError: names the first, and how to supply it.

    Warns:
        RNNCodecWarning: what is known by the name of a part is another class.
    """
    for each in used:
        known = plugins.find(each["group"], each["name"], families.subclass_of(object))
        if known is None:
            raise ModelError(f"{source}: {absent(each)}")
        if (path := plugins.path_of(known)) != each["class"]:
            warnings.warn(
                f"{source}: made with {each['class']}; {path}, which has the same name, is used",
                RNNCodecWarning,
                stacklevel=4,
            )


def absent(used: dict[str, str]) -> str:
    """What to do about a part of a model that is not known here."""
    home, _, name = used["class"].rpartition(".")
    package, version = used.get("package"), used.get("version")
    origin = f"of {package} {version}" if package else "of a package that was not installed"
    install = f"install {package}=={version}" if package else f"install what holds {home}"
    if package and plugins.installed(plugins.origin(used["class"])) == f"{package} {version}":
        install = f"it is installed, but has no entry point of this name ({name}): mend that"
    return (
        f"made with {used['class']} {origin}, which is not known here: {install}; or pass the "
        f"class itself, rnncodec.load(..., plugins=[{name}]); or name its module, rnncodec "
        f"--plugin {home} ... (or {plugins.VARIABLE}={home})"
    )


TYPES = (
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.int8, torch.int16, torch.int32, torch.int64),
)
"""What the numbers of a model file may be."""


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with ``prefix``, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def load_weights(network: Network, weights: dict[str, Tensor], *, source: str | Path) -> None:
    """Copy ``weights`` into ``network``, which goes to the CPU if it is on the meta device.

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
    # Weights on the meta device are replaced: to_empty() would import sympy first, for half a
    # second. By copies, since a tensor of a file shares its memory with it.
    on_meta = all(tensor.is_meta for tensor in own.values())
    copies = {name: tensor.to(torch.float32, copy=True) for name, tensor in weights.items()}
    network.load_state_dict(copies, assign=on_meta)


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The description and the tensors of a model file.

    Raises:
        ModelError: no such file, not a model file, damaged, from a newer version, or with weights
            that are not finite or of another type than ``TYPES``.
    """
    with opened(path, framework="pt") as file:
        description = describe(file, Path(path))
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for name, tensor in tensors.items():
        if tensor.dtype not in TYPES:
            expected = ", ".join(str(each).removeprefix("torch.") for each in TYPES)
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ModelError(f"{path}: {name} has numbers of type {kind}: expected {expected}")
    require_finite(tensors, source=path)
    return description, tensors


def require_finite(tensors: Mapping[str, Tensor], *, source: str | os.PathLike[str]) -> None:
    """Refuse weights that make a picture of nothing: NaN as a pixel is black.

    Raises:
        ModelError: names the first.
    """
    if bad := not_finite(tensors):
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise ModelError(
            f"{source}: {bad[0]}{more} has values that are not finite: the training diverged; use "
            "another model, or train again with a lower learning rate"
        )


def not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of those that hold a NaN or an infinity.

    >>> not_finite({"a": torch.zeros(2), "b": torch.tensor([1.0, float("nan")])})
    ['b']
    """
    # The extremes alone: ten times as fast as isfinite() of all, and NaN is both of them.
    extremes = {name: torch.aminmax(tensor) for name, tensor in tensors.items() if tensor.numel()}
    return [
        name
        for name, (least, most) in extremes.items()
        if not (least.isfinite() and most.isfinite())
    ]
