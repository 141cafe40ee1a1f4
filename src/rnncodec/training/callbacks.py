"""What happens around the training step: learning rate, speed, checkpoints, Ctrl-C, SIGTERM."""

import math
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector

from rnncodec.machine.signals import Terminated
from rnncodec.training.budget import budget_used
from rnncodec.training.distributed import on_any_rank
from rnncodec.training.schedule import WarmupCosine


class LearningRate(Callback):
    """Sets the learning rate before each step from the schedule, statelessly.

    Args:
        schedule: factor on each parameter group's own rate.
        group: where the rate is logged, as ``group/learning_rate``.
    """

    def __init__(self, schedule: WarmupCosine, *, group: str = "train") -> None:
        self.schedule = schedule
        self.group = group

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Scale each parameter group's initial rate."""
        factor = self.schedule(trainer.global_step, budget_used(trainer))
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                # Kept in the group, so that a resumed run scales the same base.
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        pl_module.log(f"{self.group}/learning_rate", rate)


class Throughput(Callback):
    """Logs training images per second, over ``every`` steps.

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

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Restart the clock: validation is not training."""
        self.images, self.since = 0, time.monotonic()

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count, and log when the trainer logs."""
        self.images += len(batch["index"]) * trainer.world_size
        if step_is_made(trainer) and trainer.global_step % self.every == 0:
            rate = self.images / max(time.monotonic() - self.since, 1e-9)
            pl_module.log(f"{self.group}/images_per_second", rate, prog_bar=True)
            self.images, self.since = 0, time.monotonic()


class LastCheckpoint(Callback):
    """Keeps ``last.ckpt``, from which the same command goes on.

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

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Write when due, unless a validation comes first.

        The last step is one that is due: at the end of training averaged weights take the place
        of those to go on with.
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

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the end state."""
        self.save(trainer)

    def save(self, trainer: L.Trainer) -> None:
        """Write the checkpoint, once per step."""
        if trainer.global_step != self.saved_step:
            trainer.save_checkpoint(self.path)
            self.saved_step = trainer.global_step


class Interrupt(Callback):
    """Ctrl-C or SIGTERM ends training after the step at hand, with a checkpoint.

    All ranks end after the same step, even if one alone is told. A second Ctrl-C kills. It has to
    stand before :class:`LastCheckpoint`.
    """

    def __init__(self) -> None:
        self.requested = False
        self.terminated = False
        self.before: dict[int, Any] = {}

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Take over SIGTERM, and Ctrl-C for a training, where that is possible."""
        trainer._signal_connector = NoSignals(trainer)
        if threading.current_thread() is threading.main_thread():
            heard = [signal.SIGTERM, *([signal.SIGINT] if stage == "fit" else [])]
            self.before = {number: signal.signal(number, self.hear) for number in heard}

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Remember it for the end of the step."""
        self.requested = True
        if number == signal.SIGTERM:
            self.terminated = True
        else:
            signal.signal(number, self.before[number])

    def on_validation_batch_start(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """End a single process at once: a validation may take longer than there is time.

        The network may hold the averaged weights, and a run that went on from there would miss
        the validation: the checkpoint before it stays.
        """
        if self.terminated and trainer.world_size == 1:
            raise Terminated

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """All ranks stop after the same step, where no validation is due without one.

        Lightning validates wherever it is told to stop. The undisturbed run would not, and could
        not keep the weights of this step. Gradients that are half gathered for one are not in a
        checkpoint, so the step is finished first.
        """
        if not step_is_made(trainer):
            return
        if self.stops(trainer) and not validation_is_due(trainer):
            trainer.limit_val_batches = 0

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop after the validation in which the signal came."""
        self.stops(trainer)

    def stops(self, trainer: L.Trainer) -> bool:
        """Whether a rank was asked to stop; then Lightning is told so on all."""
        if not on_any_rank(self.requested):
            return False
        self.terminated = on_any_rank(self.terminated)
        self.requested = trainer.should_stop = True
        return True

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Give the signals back."""
        self.give_back()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """The same: there is no teardown then."""
        self.give_back()

    def give_back(self) -> None:
        """Let whoever heard the signals before hear them again."""
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}


class NoSignals(_SignalConnector):
    """In the place of Lightning's own, which no setting keeps from taking SIGTERM.

    Its handler talks to the other processes at once, in the midst of whatever they say to each
    other, and all wait for ever.
    """

    def register_signal_handlers(self) -> None:
        """Take none."""


def validation_is_due(trainer: L.Trainer) -> bool:
    """Whether one belongs after the step just made, whatever may end the training here."""
    batches = trainer.global_step * trainer.accumulate_grad_batches
    return batches % (trainer.val_check_batch or math.inf) == 0


def step_is_made(trainer: L.Trainer) -> bool:
    """Whether the batch at hand ends a step, and is not one of several that gather gradients."""
    return (trainer.fit_loop.total_batch_idx + 1) % trainer.accumulate_grad_batches == 0
