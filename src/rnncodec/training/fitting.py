"""Runs a trainer: goes on from its checkpoint, stops when told to, without Lightning's advice."""

import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException

from rnncodec.training import wandb_logger
from rnncodec.training.callbacks import Interrupt
from rnncodec.training.selection import KeepBest

log = logging.getLogger(__name__)


def fit(
    trainer: L.Trainer, module: L.LightningModule, data: L.LightningDataModule, last: Path
) -> None:
    """Train, from the checkpoint ``last`` on if it exists, and validate the end state.

    On Ctrl-C the process ends after the step at hand.

    Raises:
        SIGTERMException: on SIGTERM, after the step at hand.
    """
    found: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    resume = str(last) if last.exists() else None
    trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    end_if_told(trainer, last)
    selections = [callback for callback in found if isinstance(callback, KeepBest)]
    if any(selection.step != trainer.global_step for selection in selections):
        trainer.validate(module, datamodule=data, verbose=False)
        end_if_told(trainer, last)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's news and advice (more loader workers, ...); our own words stay."""
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


def end_if_told(trainer: L.Trainer, last: Path) -> None:
    """End where :class:`Interrupt` has stopped the trainer; on all ranks in the same way.

    Raises:
        SIGTERMException: it was by SIGTERM; what Lightning raises in a single process.
    """
    found: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    asked = [callback for callback in found if isinstance(callback, Interrupt)]
    if any(interrupt.terminated for interrupt in asked):
        step = trainer.global_step
        log.warning("told to end (SIGTERM) after step %d; to go on from %s", step, last)
        raise SIGTERMException
    if any(interrupt.requested for interrupt in asked):
        stop_as_asked(last, trainer.global_step)


def stop_as_asked(last: Path, step: int) -> None:
    """End the process as Ctrl-C does, after saying how to go on."""
    log.warning("interrupted after step %d; repeat the command to go on from %s", step, last)
    wandb_logger.finish()
    sys.stdout.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
