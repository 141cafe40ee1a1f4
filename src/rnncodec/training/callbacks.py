"""What happens around the training step: learning rate, selection, checkpoints, Ctrl-C."""

import math
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, Timer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from rnncodec import model_file
from rnncodec.errors import DataError
from rnncodec.training.codec_module import CodecModule, ValidationScores
from rnncodec.training.schedule import WarmupCosine, progress


class LearningRate(Callback):
    """Sets the learning rate before each step from the schedule, statelessly.

    Args:
        schedule: factor on each parameter group's own rate.
    """

    def __init__(self, schedule: WarmupCosine) -> None:
        self.schedule = schedule
        self.base: list[float] = []

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
        pl_module.log("train/learning_rate", rate)


def budget_used(trainer: L.Trainer) -> float:
    """Share of ``max_steps`` or ``max_time`` that is used up, whichever is larger."""
    timers = timers_of(trainer)
    return progress(
        step=trainer.global_step,
        max_steps=trainer.max_steps,
        elapsed=timers[0].time_elapsed() if timers else 0.0,
        max_seconds=seconds_allowed(timers[0]) if timers else None,
    )


def timers_of(trainer: L.Trainer) -> list[Timer]:
    """The timer behind ``trainer.max_time``, if there is one."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return [callback for callback in callbacks if isinstance(callback, Timer)]


def seconds_allowed(timer: Timer) -> float | None:
    """The duration a timer was given, in seconds."""
    remaining = timer.time_remaining()
    return None if remaining is None else remaining + timer.time_elapsed()


class Throughput(Callback):
    """Logs training images per second, over ``every`` steps.

    Args:
        every: steps, as the trainer's ``log_every_n_steps``.
    """

    def __init__(self, *, every: int) -> None:
        self.every = every
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
        self.images += len(batch["image"]) * trainer.world_size
        if trainer.global_step % self.every == 0:
            rate = self.images / max(time.monotonic() - self.since, 1e-9)
            pl_module.log("train/images_per_second", rate, prog_bar=True)
            self.images, self.since = 0, time.monotonic()


class Selection(Callback):
    """Scores each validation and keeps the best weights.

    The score is the mean over t = 1..T of the validation MS-SSIM; where any validation image is
    too small for MS-SSIM, of the PSNR. It exists for every run.

    Args:
        path: the best weights so far, a model file; replaced when the score rises.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.best = -math.inf
        self.latest = -math.inf
        self.step = -1
        self.gathered: list[ValidationScores] = []

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forget the last validation."""
        self.gathered = []

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep an image's scores."""
        self.gathered.append(outputs)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the scores; keep the weights if they are the best so far."""
        assert isinstance(pl_module, CodecModule)
        means = mean_scores(gather(self.gathered))
        for name, values in means.items():
            pl_module.log(f"val/{name}", values.mean(), rank_zero_only=True)
            for t, value in enumerate(values):
                pl_module.log(f"val/{name}_t{t + 1:02d}", value, rank_zero_only=True)
        self.latest = score(means)
        self.step = trainer.global_step
        pl_module.log("val/score", self.latest, prog_bar=True, rank_zero_only=True)
        if self.latest > self.best and not trainer.sanity_checking:
            self.best = self.latest
            self.save(trainer, pl_module)

    def save(self, trainer: L.Trainer, pl_module: CodecModule) -> None:
        """Write the best weights, once for all ranks."""
        if trainer.is_global_zero:
            notes = {"score": self.best, "step": trainer.global_step}
            model_file.save(self.path, model_file.Model(pl_module.network, notes=notes))

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to compare with."""
        return {"best": self.best, "latest": self.latest, "step": self.step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self.best, self.latest = state_dict["best"], state_dict["latest"]
        self.step = state_dict["step"]


def gather(own: list[ValidationScores]) -> list[ValidationScores]:
    """The scores of all ranks."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return own
    parts: list[list[ValidationScores]] = [[] for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(parts, own)
    return [scores for part in parts for scores in part]


def mean_scores(scores: list[ValidationScores]) -> dict[str, torch.Tensor]:
    """Averages over images, by iteration, (T,) each; MS-SSIM only if every image has it."""
    if not scores:
        raise DataError("validation saw no image; lower data.val_fraction or add photographs")
    means = {"psnr_rgb": torch.stack([s["psnr_rgb"] for s in scores]).mean(dim=0)}
    similarity = [s["ms_ssim"] for s in scores if s["ms_ssim"] is not None]
    if len(similarity) == len(scores):
        means["ms_ssim"] = torch.stack(similarity).mean(dim=0)
    return means


def score(means: dict[str, torch.Tensor]) -> float:
    """The selection score of :class:`Selection`, from :func:`mean_scores`."""
    return float(means.get("ms_ssim", means["psnr_rgb"]).mean())


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
        """Write when due, unless a validation comes first."""
        interval = trainer.val_check_batch or math.inf
        validates = trainer.should_stop or trainer.global_step % interval == 0
        if trainer.global_step % self.every == 0 and not validates:
            self.save(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write, with the best score of this validation."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self.save(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the end state."""
        self.save(trainer)

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Write on SIGTERM, which Lightning raises between two steps."""
        if isinstance(exception, SIGTERMException):
            self.save(trainer)

    def save(self, trainer: L.Trainer) -> None:
        """Write the checkpoint, once per step."""
        if trainer.global_step != self.saved_step:
            trainer.save_checkpoint(self.path)
            self.saved_step = trainer.global_step


class Interrupt(Callback):
    """The first Ctrl-C ends training after the step at hand, with a checkpoint; a second kills."""

    def __init__(self) -> None:
        self.requested = False
        self.previous: Any = None

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Take over SIGINT, where that is possible."""
        if stage == "fit" and threading.current_thread() is threading.main_thread():

            def handle(number: int, frame: FrameType | None) -> None:
                self.requested = trainer.should_stop = True
                signal.signal(signal.SIGINT, self.previous)

            self.previous = signal.signal(signal.SIGINT, handle)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Give SIGINT back."""
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)
            self.previous = None
