"""Composition root: from a configuration to a trained, exported, evaluated codec.

The only caller of ``hydra.utils.instantiate``. Each phase is skipped when its result is in the
run directory, so repeating a command goes on where it stopped.
"""

import json
import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.loggers.wandb import WandbLogger
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from rnncodec import model_file, precision
from rnncodec.codec import load
from rnncodec.errors import ConfigError, RNNCodecError
from rnncodec.evaluation.evaluate import evaluate
from rnncodec.run_directory import run_name
from rnncodec.training import wandb_logger
from rnncodec.training.callbacks import (
    Interrupt,
    LastCheckpoint,
    LearningRate,
    Selection,
    Throughput,
)
from rnncodec.training.checkpoint import AtomicCheckpointIO
from rnncodec.training.codec_module import CodecModule
from rnncodec.training.progress import TrainingProgress

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunFiles:
    """Where a run keeps what."""

    folder: Path

    @property
    def last(self) -> Path:
        """The checkpoint to go on from."""
        return self.folder / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """The best weights so far, in training precision."""
        return self.folder / "checkpoints" / "best.safetensors"

    @property
    def model(self) -> Path:
        """The exported model; its presence says that training is done."""
        return self.folder / "model.safetensors"

    @property
    def evaluation(self) -> Path:
        """Curve, scores and pictures."""
        return self.folder / "evaluation"


def register_resolvers() -> None:
    """Teach OmegaConf ``${run_name:...}``, the name of a run directory."""
    OmegaConf.register_new_resolver("run_name", run_name, replace=True)


def run(cfg: DictConfig) -> float:
    """Train, export and evaluate; returns the selection score of the best weights.

    Raises:
        RNNCodecError: something the caller can put right, in one sentence.
    """
    files = RunFiles(Path(cfg.run_dir))
    phases = {fit_codec: files.model, evaluate_codec: files.evaluation / "summary.json"}
    to_do = [phase for phase, result in phases.items() if not result.exists()]
    if to_do:
        with quiet_lightning(), run_loggers(cfg, files) as loggers:
            for phase in to_do:
                phase(cfg, files, loggers)
    return report(files)


def fit_codec(cfg: DictConfig, files: RunFiles, loggers: list[Logger]) -> None:
    """Train (or go on training) and export the best weights to ``model.safetensors``."""
    check(cfg)
    L.seed_everything(cfg.seed, workers=False, verbose=False)
    interrupt, selection = Interrupt(), Selection(files.best)
    data = build(cfg.data)
    keep_apart(data, cfg)
    module = build_module(cfg)
    trainer = build(
        cfg.trainer,
        callbacks=[*callbacks(cfg, files, selection), interrupt],
        logger=loggers,
        plugins=[AtomicCheckpointIO()],
        precision=resolve_precision(cfg.trainer.precision, cfg.trainer.accelerator),
        default_root_dir=str(files.folder),
    )
    resume = str(files.last) if files.last.exists() else None
    trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    if interrupt.requested:
        stop_as_asked(files, trainer.global_step)
    if selection.step != trainer.global_step:
        trainer.validate(module, datamodule=data, verbose=False)
    export(cfg, files)


def build_module(cfg: DictConfig) -> CodecModule:
    """The LightningModule, its weights fresh or from ``init=``."""
    network = build(cfg.model)
    if cfg.init is not None:
        _, tensors = model_file.read(cfg.init)
        weights = model_file.part(tensors, model_file.NETWORK)
        model_file.load_weights(network, weights, source=cfg.init)
    return CodecModule(network, build(cfg.loss), build(cfg.optim.optimizer), seed=cfg.seed)


def callbacks(cfg: DictConfig, files: RunFiles, selection: Selection) -> list[Callback]:
    """What goes on around the training step, in the order it has to happen.

    Selection stands before the averaging callback, which at the end of a validation swaps the
    averaged weights out again.
    """
    average = [] if cfg.optim.ema is None else [EMAWeightAveraging(decay=cfg.optim.ema)]
    bar = [TrainingProgress()] if cfg.trainer.enable_progress_bar else []
    return [
        LearningRate(build(cfg.optim.schedule)),
        selection,
        *average,
        LastCheckpoint(files.last, every=cfg.checkpoint_every),
        Throughput(every=cfg.trainer.log_every_n_steps),
        *bar,
    ]


def export(cfg: DictConfig, files: RunFiles) -> None:
    """Write the best weights, with their score and the run's settings, as the run's model."""
    best = model_file.load(files.best)
    settings = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(settings, dict)
    settings.pop("run_dir")  # a path of this machine says nothing about the model
    best.notes["settings"] = settings
    model_file.save(files.model, best)


def evaluate_codec(cfg: DictConfig, files: RunFiles, loggers: list[Logger]) -> None:
    """Measure the exported model on the evaluation images; log the curve and the pictures."""
    codec = load(files.model, device="cuda" if torch.cuda.is_available() else "cpu")
    summary = evaluate(codec.reconstructions, build(cfg.eval), files.evaluation)
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            wandb_logger.log_evaluation(logger, summary, files.evaluation)


def report(files: RunFiles) -> float:
    """Print the score and where everything is; returns the score."""
    notes = model_file.read(files.model)[0]["notes"]
    summary = json.loads((files.evaluation / "summary.json").read_text())
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"\n[bold]selection score {notes['score']:.4f}[/bold] (step {notes['step']})")
    for name, value in summary["auc"].items():
        console.print(f"{name}: {value['value']:.4f}")
    for name in ("rd.png", "reconstructions.png", "rd.csv", "summary.json"):
        console.print(f"  {files.evaluation / name}")
    console.print(f"  {files.model}")
    return float(notes["score"])


def build(node: Any, **more: Any) -> Any:
    """Instantiate a configuration node; our own errors come through as they are."""
    try:
        return instantiate(node, _convert_="object", **more)
    except InstantiationException as error:
        if isinstance(error.__cause__, RNNCodecError):
            raise error.__cause__ from None
        raise


@contextmanager
def run_loggers(cfg: DictConfig, files: RunFiles) -> Iterator[list[Logger]]:
    """The run's CSV files and what ``logger=`` names, closed at the end whatever happens."""
    csv = CSVLogger(save_dir=str(files.folder), name="csv", flush_logs_every_n_steps=1)
    try:
        loggers = [csv, build(cfg.logger)] if cfg.logger else [csv]
        for logger in loggers:
            logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
        yield loggers
    finally:
        wandb_logger.finish()


def keep_apart(data: Any, cfg: DictConfig) -> None:
    """Take evaluation images out of training and validation, should they lie among them."""
    if hasattr(data, "exclude"):
        data.exclude(build(cfg.eval).paths)


def check(cfg: DictConfig) -> None:
    """Refuse a run without an end.

    Raises:
        ConfigError: neither ``trainer.max_steps`` nor ``trainer.max_time`` limits it.
    """
    if cfg.trainer.max_steps <= 0 and cfg.trainer.max_time is None:
        raise ConfigError(
            f"trainer.max_steps={cfg.trainer.max_steps} and no trainer.max_time: training would "
            "never end; give at least one, as in trainer.max_time=00:00:30:00 (DD:HH:MM:SS)"
        )


def resolve_precision(asked: str | int | None, accelerator: str) -> str | int | None:
    """``auto`` -> bf16 where the hardware gains from it, else float32; else what was asked."""
    if asked != "auto":
        return asked
    cuda = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return "bf16-mixed" if precision.gains_from_bf16("cuda" if cuda else "cpu") else "32-true"


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


def stop_as_asked(files: RunFiles, step: int) -> None:
    """End the process as Ctrl-C does, after saying how to go on."""
    log.warning("interrupted after step %d; repeat the command to go on from %s", step, files.last)
    wandb_logger.finish()
    sys.stdout.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
