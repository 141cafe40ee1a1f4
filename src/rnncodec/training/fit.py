"""Runs a trainer: resumes from its checkpoint, and ends after the step in which a signal came."""

import logging
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector

from rnncodec.machine.allocator import freed_memory_kept
from rnncodec.machine.signals import Terminated
from rnncodec.training.callbacks import step_is_made, validation_is_due
from rnncodec.training.distributed import on_any_rank
from rnncodec.training.selection import KeepBest

log = logging.getLogger(__name__)


def fit(
    trainer: L.Trainer, module: L.LightningModule, data: L.LightningDataModule, last: Path
) -> None:
    """Train, from the checkpoint ``last`` on if it exists, and validate the end state.

    Raises:
        KeyboardInterrupt: on Ctrl-C, after the step at hand.
        Terminated: on SIGTERM, after the step at hand.
    """
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    interrupts = [callback for callback in callbacks if isinstance(callback, Interrupt)]
    selections = [callback for callback in callbacks if isinstance(callback, KeepBest)]
    resume = str(last) if last.exists() else None
    with freed_memory_kept():
        trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    for interrupt in interrupts:
        interrupt.end_if_requested(trainer.global_step, last)
    if any(selection.step != trainer.global_step for selection in selections):
        trainer.validate(module, datamodule=data, verbose=False)
        for interrupt in interrupts:
            interrupt.end_if_requested(trainer.global_step, last)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's news and advice (more loader workers, ...); our own words stay.

    So does what was asked for, the report of ``trainer.profiler``.
    """
    logging.getLogger("lightning.pytorch.profilers").setLevel(logging.INFO)
    talkative = logging.getLogger("lightning.pytorch")
    level = talkative.level
    talkative.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            warnings.filterwarnings("ignore", message=r".*LeafSpec.* is deprecated")
            yield
    finally:
        talkative.setLevel(level)


class Interrupt(Callback):
    """Ctrl-C or SIGTERM ends training after the step at hand, with a checkpoint.

    All ranks end after the same step, even if only one gets the signal. A second Ctrl-C kills. It
    has to stand before :class:`rnncodec.training.callbacks.LastCheckpoint`.
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
            self.before = {number: signal.signal(number, self.handle) for number in heard}

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Remember it for the end of the step."""
        self.requested = True
        if number == signal.SIGTERM:
            self.terminated = True
        else:
            signal.signal(number, self.before[number])

    def on_validation_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        """End a single process at once: a validation may take longer than there is time.

        The network may hold the averaged weights, and a run that resumed from there would miss
        the validation: the checkpoint before it stays.
        """
        if self.terminated and trainer.world_size == 1:
            raise Terminated

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """All ranks stop after the same step, where no validation is due without one.

        Lightning validates wherever it is made to stop. The undisturbed run would not, and could
        not select the weights of this step. Gradients that are half gathered for one are not in a
        checkpoint, so the step is finished first.
        """
        if step_is_made(trainer) and self.stops(trainer) and not validation_is_due(trainer):
            trainer.limit_val_batches = 0

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop after the validation in which the signal came."""
        self.stops(trainer)

    def stops(self, trainer: L.Trainer) -> bool:
        """Whether a rank was asked to stop; then Lightning is made to on all."""
        if not on_any_rank(self.requested):
            return False
        self.terminated = on_any_rank(self.terminated)
        self.requested = trainer.should_stop = True
        return True

    def end_if_requested(self, step: int, last: Path) -> None:
        """Raise what :func:`fit` does if a signal has stopped the trainer."""
        if self.terminated:
            log.warning("told to end (SIGTERM) after step %d; to go on from %s", step, last)
            raise Terminated
        if self.requested:
            log.warning(
                "interrupted after step %d; repeat the command to go on from %s", step, last
            )
            raise KeyboardInterrupt

    def teardown(self, *_: Any, **__: Any) -> None:
        """Let whoever handled the signals before handle them again."""
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}

    on_exception = teardown  # which is not called then


class NoSignals(_SignalConnector):
    """In the place of Lightning's own, which no setting keeps from taking SIGTERM.

    Its handler talks to the other processes at once, in the midst of whatever they say to each
    other, and all wait for ever.
    """

    def register_signal_handlers(self) -> None:
        """Take none."""
