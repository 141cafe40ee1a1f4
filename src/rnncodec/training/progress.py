"""The progress bar of a training run: steps or time left, and three of the losses."""

from datetime import timedelta
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import RichProgressBar

from rnncodec.training.budget import timers_of

SHORT = {
    "train/images_per_second": "img/s",
    "val/score": "score",
    "entropy_train/images_per_second": "crops/s",
    "entropy_train/bits_per_bit": "bits/bit",
    "entropy_val/exact": "validation",
}


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
        """Training has no epochs: the crops are drawn without end."""
        return "training"

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
        for timer in timers_of(trainer):
            remaining = timer.time_remaining()
            if remaining is not None:
                shown["left"] = str(timedelta(seconds=max(0, int(remaining))))
        return shown
