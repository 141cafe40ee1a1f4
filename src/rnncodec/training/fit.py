"""Runs a trainer: goes on from its checkpoint, stops when told to, without Lightning's advice."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import Callback

from rnncodec.machine.allocator import freed_memory_kept
from rnncodec.machine.signals import Terminated
from rnncodec.training.callbacks import Interrupt
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
    found: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    resume = str(last) if last.exists() else None
    with freed_memory_kept():
        trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    end_if_told(trainer, last)
    selections = [callback for callback in found if isinstance(callback, KeepBest)]
    if any(selection.step != trainer.global_step for selection in selections):
        trainer.validate(module, datamodule=data, verbose=False)
        end_if_told(trainer, last)


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


def end_if_told(trainer: L.Trainer, last: Path) -> None:
    """End where :class:`Interrupt` has stopped the trainer; on all ranks in the same way.

    Raises:
        KeyboardInterrupt: it was by Ctrl-C.
        Terminated: it was by SIGTERM.
    """
    found: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    asked = [callback for callback in found if isinstance(callback, Interrupt)]
    step = trainer.global_step
    if any(interrupt.terminated for interrupt in asked):
        log.warning("told to end (SIGTERM) after step %d; to go on from %s", step, last)
        raise Terminated
    if any(interrupt.requested for interrupt in asked):
        log.warning("interrupted after step %d; repeat the command to go on from %s", step, last)
        raise KeyboardInterrupt
