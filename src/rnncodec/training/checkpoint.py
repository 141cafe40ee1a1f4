"""Checkpoints that are whole or absent, and that load without executing anything."""

import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO

from rnncodec.errors import ModelError
from rnncodec.machine.storage import replacing
from rnncodec.models.model_file import not_finite


class AtomicCheckpointIO(CheckpointIO):
    """Writes to a temporary name in the same folder and renames; reads with ``weights_only``."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write the checkpoint.

        Raises:
            StorageError: it could not be written; an earlier one at ``path`` stays as it was.
        """
        with replacing(path) as temporary:
            try:
                torch.save(checkpoint, temporary)
            except RuntimeError as error:
                # torch's zip writer reports a full disk as a RuntimeError of its own.
                raise OSError(str(error).splitlines()[0]) from error

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint: tensors and plain types only.

        Raises:
            ModelError: damaged, not a checkpoint, or of weights that are not finite.
        """
        try:
            loaded = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise ModelError(
                f"{path}: this checkpoint cannot be read ({str(error).splitlines()[0]}); delete "
                "it to start anew"
            ) from error
        if not isinstance(loaded, dict) or "state_dict" not in loaded:
            raise ModelError(f"{path}: not a training checkpoint; delete it to start anew")
        if bad := not_finite(loaded["state_dict"]):
            raise ModelError(
                f"{path}: {bad[0]} is not finite: the training had diverged; delete it to start "
                "anew, with a lower learning rate"
            )
        return loaded

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)
