"""A model file without its encoder: what a decoder needs, for the page of `web/`."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from rnncodec.machine.storage import replacing
from rnncodec.models import model_file
from rnncodec.models.model_description import FORMAT, KEY, opened


def export_web(model: str | Path, out: str | Path) -> int:
    """Write the decoder and the entropy model of a model file; weights as the file stores them.

    The result is a model file as FORMAT.md has them, with the same fingerprint, of which
    `rnncodec` itself reads the description only: its encoder is missing.

    Returns:
        Bytes written.

    Raises:
        ModelError: not a model file, damaged, or with weights that are not finite.
        StorageError: it could not be written; nothing half-written is left.
    """
    whole = model_file.load(model)  # proves that it is what it says
    description = {
        "format": FORMAT,
        "network": whole.network.config,
        "entropy": None if whole.entropy is None else whole.entropy.config,
        "notes": {},
        "fingerprint": whole.fingerprint().hex(),
    }
    with opened(model, framework="pt") as file:
        names = [name for name in file.keys() if not name.startswith(model_file.ENCODER_ONLY)]  # noqa: SIM118
        tensors = {name: file.get_tensor(name).contiguous() for name in names}
    with torch.inference_mode(), replacing(out) as temporary:
        save_file(tensors, temporary, metadata={KEY: json.dumps(description, sort_keys=True)})
    return Path(out).stat().st_size
