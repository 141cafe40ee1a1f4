"""Tells `rnncodec status` how far a training is."""

import logging
import time
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from rnncodec.errors import StorageError
from rnncodec.machine.inplace_json import write_page
from rnncodec.training.budget import own_budget_used

_log = logging.getLogger(__name__)


class JobProgress(Callback):
    """Writes steps done and the share of the budget used.

    Args:
        path: where to.
        every: seconds between two writes.
    """

    def __init__(self, path: Path, *, every: float = 2.0) -> None:
        self.path = path
        self.every = every
        self.start: dict[str, float] = {}
        self.written = 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note where this attempt goes on, to estimate its speed."""
        self.start = {"from": own_budget_used(trainer), "began": time.time()}
        self.write(trainer)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Write when due."""
        if time.monotonic() - self.written >= self.every:
            self.write(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the end state."""
        self.write(trainer)

    def write(self, trainer: L.Trainer) -> None:
        """Write, on rank 0; a full disk is left to the checkpoint to report."""
        if not trainer.is_global_zero:
            return
        self.written = time.monotonic()
        fields = {
            "step": trainer.global_step,
            "steps": trainer.max_steps if trainer.max_steps > 0 else None,
            "used": own_budget_used(trainer),
            "at": time.time(),
        }
        try:
            write_page(self.path, fields | self.start)
        except StorageError as error:
            _log.warning("%s", error)
