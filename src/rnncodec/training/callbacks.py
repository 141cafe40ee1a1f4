"""What happens around the training step: checkpoints, speed and progress (signals: fit)."""

import logging
import math
import pickle
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.plugins.io import CheckpointIO

from rnncodec.errors import ModelError, StorageError
from rnncodec.machine.storage import replacing, write_page
from rnncodec.models.model_file import not_finite
from rnncodec.training.schedule import own_budget_used, timer_of

SHORT = {
    "train/images_per_second": "img/s",
    "val/score": "score",
    "entropy_train/images_per_second": "crops/s",
    "entropy_train/bits_per_bit": "bits/bit",
    "entropy_val/exact": "validation",
}
"""What the progress bar calls the figures that are logged."""

_log = logging.getLogger(__name__)


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
        """Read a checkpoint: tensors and plain types only, so that nothing can be executed.

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


class LastCheckpoint(Callback):
    """Writes ``last.ckpt``, from which the same command resumes.

    It is written every ``every`` steps, after each validation and at the end. Where a validation
    is due, it is written after it, so that a resumed run neither misses nor repeats one.

    Args:
        path: where to.
        every: optimiser steps between two checkpoints.
    """

    def __init__(self, path: Path, *, every: int) -> None:
        self.path = path
        self.every = every
        self.saved_step = -1

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Write when due, unless a validation comes first.

        After the last step it is due, too: at the end of training averaged weights take the place
        of those to resume with.
        """
        if not step_is_made(trainer):
            return
        last = trainer.should_stop or trainer.global_step == trainer.max_steps
        if (last or trainer.global_step % self.every == 0) and not validation_is_due(trainer):
            self.save(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write, with the best score of this validation."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self.save(trainer)

    def save(self, trainer: L.Trainer, *_: Any, **__: Any) -> None:
        """Write the checkpoint, once per step."""
        if trainer.global_step != self.saved_step:
            trainer.save_checkpoint(self.path)
            self.saved_step = trainer.global_step

    on_train_end = save


def validation_is_due(trainer: L.Trainer) -> bool:
    """Whether one belongs after the step just made, whatever may end the training here."""
    batches = trainer.global_step * trainer.accumulate_grad_batches
    return batches % (trainer.val_check_batch or math.inf) == 0


def step_is_made(trainer: L.Trainer) -> bool:
    """Whether the batch at hand ends a step, and is not one of several that gather gradients."""
    return (trainer.fit_loop.total_batch_idx + 1) % trainer.accumulate_grad_batches == 0


class Throughput(Callback):
    """Logs training images per second, over ``every`` steps, validations left out.

    Args:
        every: steps, as the trainer's ``log_every_n_steps``.
        group: where it is logged, as ``group/images_per_second``.
    """

    def __init__(self, *, every: int, group: str = "train") -> None:
        self.every = every
        self.group = group
        self.images = 0
        self.since = 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        self.images, self.since = 0, time.monotonic()

    on_validation_end = on_train_start

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        """Count, and log when the trainer logs."""
        self.images += len(batch["index"]) * trainer.world_size
        if step_is_made(trainer) and trainer.global_step % self.every == 0:
            rate = self.images / max(time.monotonic() - self.since, 1e-9)
            pl_module.log(f"{self.group}/images_per_second", rate, prog_bar=True)
            self.images, self.since = 0, time.monotonic()


class ProgressFile(Callback):
    """Writes steps done and the share of the budget used, for `rnncodec status`.

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
        """Record where this attempt starts, to estimate its speed."""
        self.start = {"from": own_budget_used(trainer), "began": time.time()}
        self.write(trainer)

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Write when due."""
        if time.monotonic() - self.written >= self.every:
            self.write(trainer)

    def write(self, trainer: L.Trainer, *_: Any, **__: Any) -> None:
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

    on_train_end = write


class TrainingProgress(RichProgressBar):
    """Rich progress bar that knows the budget: the steps of ``max_steps``, the time left.

    Shows the loss of the first, the middle and the last iteration, images per second and the
    latest validation score.

    Args:
        every: steps between two looks at the figures, as the trainer's ``log_every_n_steps``.
    """

    def __init__(self, *, every: int) -> None:
        super().__init__()
        self.every = every
        self.shown: dict[str, Any] = {}

    @property
    def total_train_batches(self) -> int | float:
        """The batches of the whole run, where its steps are limited."""
        steps = self.trainer.max_steps
        return steps * self.trainer.accumulate_grad_batches if steps > 0 else float("inf")

    def _get_train_description(self, current_epoch: int) -> str:
        return "training"  # which has no epochs: the crops are drawn without end

    def get_metrics(
        self, trainer: L.Trainer, pl_module: L.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """The logged figures under short names, and the time left, of every so many steps.

        Reading a figure waits for the device to finish the step, so not every step does.
        """
        if not self.shown or trainer.global_step % self.every == 0:
            self.shown = self.latest(trainer, pl_module)
        return self.shown

    def latest(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """The figures of this step."""
        shown: dict[str, Any] = {
            SHORT.get(name, name.rpartition("_")[2]): value
            for name, value in super().get_metrics(trainer, pl_module).items()
            if name != "v_num"
        }
        timer = timer_of(trainer)
        if timer is not None and (remaining := timer.time_remaining()) is not None:
            shown["left"] = str(timedelta(seconds=max(0, int(remaining))))
        return shown
