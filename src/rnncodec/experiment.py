"""Composition root: from a configuration to a trained, exported, evaluated codec.

The only caller of ``hydra.utils.instantiate``. The phases are codec, entropy model, evaluation;
each is skipped when its result is in the run directory, so repeating a command resumes where it
stopped.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import lightning as L
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.loggers.wandb import WandbLogger
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from rnncodec import plugins
from rnncodec.coding.transform import Transform
from rnncodec.data.contract import check_data
from rnncodec.errors import ConfigError, RNNCodecError
from rnncodec.evaluation.codecs import EvaluatedModel, images_of
from rnncodec.evaluation.evaluate import entropy_sentence, evaluate_model
from rnncodec.evaluation.summary import named_areas, read_summary
from rnncodec.machine.processors import take_gpu
from rnncodec.models import model_file
from rnncodec.models.model_description import SCORE_METRICS, score_metric
from rnncodec.runs.codec_lookup import NO_ENTROPY, codec_file, entropy_name, factors
from rnncodec.runs.preflight import check, register_sweeps
from rnncodec.runs.run_directory import RunFiles
from rnncodec.runs.run_names import run_name, sweep_name
from rnncodec.runs.run_settings import arithmetic, record, record_arithmetic, settings
from rnncodec.training import wandb_logger
from rnncodec.training.callbacks import (
    AtomicCheckpointIO,
    LastCheckpoint,
    ProgressFile,
    Throughput,
    TrainingProgress,
)
from rnncodec.training.code_data import CodeData
from rnncodec.training.codec_module import CodecModule
from rnncodec.training.distributed import cluster_plugins, is_main, refuse_sweep_in_children
from rnncodec.training.divergence import StopIfDiverged
from rnncodec.training.dry_pass import check_entropy_model
from rnncodec.training.entropy_module import EntropyModule, integer_rates, rate_lost
from rnncodec.training.fit import Interrupt, fit, quiet_lightning
from rnncodec.training.outside import give_parts, own_callbacks, own_metrics, rehearse
from rnncodec.training.run_context import run_context
from rnncodec.training.schedule import LearningRate
from rnncodec.training.selection import EntropySelection, KeepBest, Selection
from rnncodec.training.wandb_evaluation import log_evaluation

MOVED = {"rnncodec.training.codes.CodeData": "rnncodec.training.code_data.CodeData"}
"""Classes that stand in configurations of earlier versions, and where they are now."""

NOT_UNDERSTOOD = (TypeError, ValueError, ImportError, MisconfigurationException)
"""What a class raises that is not there, or is given settings it cannot work with."""

Phase: TypeAlias = Callable[[DictConfig, RunFiles, list[Logger]], None]


def register_resolvers() -> None:
    """Register what ``conf/`` needs of Hydra: two resolvers, and where the sweeps are.

    ``${run_name:...}`` is the name of a run directory, ``${sweep_name:}`` that of its sweep.
    """
    OmegaConf.register_new_resolver("run_name", run_name, replace=True)
    OmegaConf.register_new_resolver("sweep_name", sweep_name, replace=True)
    register_sweeps()


def run(cfg: DictConfig) -> float:
    """Train codec and entropy model, export, evaluate; returns the codec's selection score.

    Rank 0 writes and reports; the score of other ranks is NaN.

    Raises:
        RNNCodecError: something the caller can put right, in one sentence.
    """
    try:
        update_targets(cfg)
        files = RunFiles(Path(cfg.run_dir))
        finished = files.finished
        if finished:
            check(cfg, files)
        else:
            train(cfg, files)
    except OmegaConfBaseException as error:  # a setting that ~ has taken away, or a wrong ${...}
        raise ConfigError(
            f"the configuration is not whole: {' '.join(str(error).split())}"
        ) from error
    return report(files, finished) if is_main() else math.nan


def update_targets(node: DictConfig) -> None:
    """Let ``_target_`` name each class where it is now, in place."""
    for key in map(str, node):
        if OmegaConf.is_missing(node, key) or OmegaConf.is_interpolation(node, key):
            continue
        value = node[key]
        if isinstance(value, DictConfig):
            update_targets(value)
        elif key == "_target_" and value in MOVED:
            node[key] = MOVED[value]


def train(cfg: DictConfig, files: RunFiles) -> None:
    """Make an attempt at the phases that are not done."""
    if cfg.spread:
        take_gpu(files.folder.parent)
    refuse = partial(check, cfg, files)
    with run_context(files, threads=cfg.threads, trainer=cfg.trainer, check=refuse) as start:
        give_parts(cfg)
        if is_main():
            record(cfg, files)
            record_arithmetic(cfg, files)
        if cfg.codec is not None and not files.model.exists():
            cfg = cfg.copy()
            cfg.codec = str(codec_file(cfg))
        to_do = [phase for phase, result in phases(cfg, files).items() if not result.exists()]
        with quiet_lightning(), run_loggers(cfg, files) as loggers:
            for phase in to_do:
                start(phase.__name__)
                phase(cfg, files, loggers)


def phases(cfg: DictConfig, files: RunFiles) -> dict[Phase, Path]:
    """What a run does, in order, and the result that says it is done."""
    evaluation: dict[Phase, Path] = {evaluate_codec: files.summary}
    if files.model.exists():  # whatever it was made from may have been cleared away
        return evaluation
    codec = fit_codec if cfg.codec is None else take_codec
    if entropy_name(cfg) == NO_ENTROPY:
        return {codec: files.model, **evaluation}
    return {codec: files.codec, fit_entropy: files.model, **evaluation}


def fit_codec(cfg: DictConfig, files: RunFiles, loggers: list[Logger]) -> None:
    """Train the codec, or resume its training, and export its best weights."""
    L.seed_everything(cfg.seed, workers=False, verbose=False)
    data = training_data(cfg)
    module = build_module(cfg)
    rehearse(cfg, build, module)
    if entropy_name(cfg) != NO_ENTROPY:
        check_entropy(cfg, files, data, module.network.iterations)
    selection = Selection(files.best)
    around = callbacks(cfg, cfg.optim.schedule, selection, files.last, ema=cfg.optim.ema)
    around += own_callbacks(cfg, build)
    trainer = build_trainer(cfg, files, around, loggers)
    fit(trainer, module, data, files.last)
    if not is_main():
        return
    best = model_file.load(files.best)
    best.notes.update(settings=settings(cfg), arithmetic=arithmetic(cfg, files))
    result = files.model if entropy_name(cfg) == NO_ENTROPY else files.codec
    model_file.save(result, best)


def take_codec(cfg: DictConfig, files: RunFiles, loggers: list[Logger]) -> None:
    """Take the codec of the model file ``codec=``, without the entropy model it may have."""
    if not is_main():
        return
    rehearse(cfg, build)
    given = model_file.load(cfg.codec)
    notes = {key: value for key, value in given.notes.items() if key != "entropy"}
    model_file.save(files.codec, model_file.Model(given.network, notes=notes))


def fit_entropy(cfg: DictConfig, files: RunFiles, loggers: list[Logger]) -> None:
    """Train the entropy model on the codec's codes, or resume; export both."""
    L.seed_everything(cfg.seed, workers=False, verbose=False)
    codec = model_file.load(files.codec)
    selection = EntropySelection(files.entropy_best, codec)
    schedule, group = cfg.entropy_fit.schedule, "entropy_train"
    around = callbacks(cfg, schedule, selection, files.entropy_last, group=group)
    own = {key: cfg.entropy_fit[key] for key in ("max_steps", "max_time", "val_check_interval")}
    trainer = build_trainer(cfg, files, around, loggers, **own)
    transform = Transform(codec.network, trainer.strategy.root_device)
    data = build(cfg.entropy_fit.data)(training_data(cfg), transform, files.codes, seed=cfg.seed)
    data.setup()
    module = entropy_module(cfg, codec.network.iterations, codes=data.origin())
    fit(trainer, module, data, files.entropy_last)
    if is_main():
        export_entropy(cfg, files, data)


def entropy_module(cfg: DictConfig, iterations: int, *, codes: str) -> EntropyModule:
    """The LightningModule of the entropy model, for a codec of so many iterations."""
    model = build(cfg.entropy, iterations=iterations)
    check_entropy_model(model)
    return EntropyModule(
        model,
        build(cfg.entropy_fit.optimizer),
        exact_from=cfg.entropy_fit.exact_from,
        codes=codes,
    )


def check_entropy(cfg: DictConfig, files: RunFiles, data: Any, iterations: int) -> None:
    """Build what the entropy model needs, so that mistakes there end a run before it trains.

    Raises:
        RNNCodecError: a setting of ``entropy`` or ``entropy_fit`` that cannot work.
    """
    build(cfg.entropy_fit.schedule)
    entropy_module(cfg, iterations, codes="").configure_optimizers()
    codes = build(cfg.entropy_fit.data)(data, None, files.codes, seed=cfg.seed)  # no codec yet
    data.setup("fit")
    data.crops_of(codes.crop, batch_size=1, seed=cfg.seed)


def export_entropy(cfg: DictConfig, files: RunFiles, data: CodeData) -> None:
    """Measure the best entropy model in integers; write it with its codec as the run's model."""
    best = model_file.load(files.entropy_best)
    assert best.entropy is not None
    notes = best.notes["entropy"]
    data.trainer = None  # every image, and not rank 0's share
    integer = integer_rates(best.entropy, data.val_dataloader())
    notes["bits_per_bit"]["integer"] = integer.tolist()
    floats = torch.tensor(notes["bits_per_bit"]["float"], dtype=torch.float64)
    notes["rate_lost_to_quantisation"] = rate_lost(floats, integer)
    own = ("entropy", "entropy_fit", "data", "seed")
    notes["settings"] = {key: value for key, value in settings(cfg).items() if key in own}
    model_file.save(files.model, best)


def build_module(cfg: DictConfig) -> CodecModule:
    """The LightningModule, its weights fresh or from ``init=``."""
    network = build(cfg.model)
    if cfg.init is not None:
        _, tensors = model_file.read(cfg.init)
        weights = model_file.part(tensors, model_file.NETWORK)
        model_file.load_weights(network, weights, source=cfg.init)
    return CodecModule(
        network,
        build(cfg.loss),
        build(cfg.optim.optimizer),
        seed=cfg.seed,
        binarizer=cfg.binarizer,
        mean=cfg.loss_mean,
        rate=build(cfg.rate) if cfg.get("rate") else None,
    )


def callbacks(
    cfg: DictConfig,
    schedule: DictConfig,
    selection: KeepBest[Any],
    last: Path,
    *,
    group: str = "train",
    ema: float | None = None,
) -> list[Callback]:
    """The callbacks of a training, in the order they have to run.

    Selection stands before the averaging callback, which at the end of a validation swaps the
    averaged weights out again.

    Args:
        cfg: the configuration.
        schedule: of the learning rate, a part of it.
        selection: writes the best weights.
        last: the checkpoint to resume from.
        group: the first part of the names under which figures are logged.
        ema: decay of averaged weights; None: they are not averaged.
    """
    return [
        LearningRate(build(schedule), group=group),
        selection,
        *([] if ema is None else [EMAWeightAveraging(decay=ema)]),
        StopIfDiverged(),
        LastCheckpoint(last, every=cfg.checkpoint_every),
        Throughput(every=cfg.trainer.log_every_n_steps, group=group),
    ]


def build_trainer(
    cfg: DictConfig, files: RunFiles, around: list[Callback], loggers: list[Logger], **own: Any
) -> L.Trainer:
    """The trainer with its callbacks; ``own`` takes the place of what ``trainer`` says."""
    every = cfg.trainer.log_every_n_steps
    own = {"val_check_interval": cfg.trainer.val_check_interval} | own
    if own["val_check_interval"] is not None:  # steps; Lightning counts batches
        own["val_check_interval"] *= cfg.trainer.get("accumulate_grad_batches") or 1
    bar = [TrainingProgress(every=every)] if cfg.trainer.enable_progress_bar else []
    more = {
        "callbacks": [Interrupt(), *around, ProgressFile(files.progress), *bar],
        "logger": loggers,
        "plugins": [AtomicCheckpointIO(), *cluster_plugins()],
        "default_root_dir": str(files.folder),
        "precision": arithmetic(cfg, files)["precision"],
    }
    trainer: L.Trainer = build(cfg.trainer, **(more | own))
    refuse_sweep_in_children(trainer)
    return trainer


def evaluate_codec(cfg: DictConfig, files: RunFiles, loggers: list[Logger]) -> None:
    """Measure the exported model on the evaluation images; log the curve and the pictures."""
    if not is_main():
        return
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = EvaluatedModel(files.folder.name, files.model, device=device)
    images = images_of(build(cfg.eval))
    evaluate_model(model, images, files.evaluation, extra=own_metrics(cfg, build))
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            log_evaluation(logger, files.evaluation, model, images)


def report(files: RunFiles, finished: bool) -> float:
    """Print the score and where everything is; returns the score.

    Args:
        files: the run directory.
        finished: whether all of it was there before.
    """
    notes = model_file.read(files.model)[0]["notes"]
    summary = read_summary(files.summary)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    score = float(notes.get("score", "nan"))  # a model file from elsewhere need not have one
    metric = SCORE_METRICS.get(score_metric(notes) or "", "unknown metric")
    step = notes.get("step", "?")
    if finished:
        date = datetime.fromtimestamp(files.summary.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
        console.print(
            f"\nfinished earlier ({date}); nothing was trained or measured now: to do so, choose "
            f"another name=, or delete {files.folder}"
        )
    console.print(f"\nselection score, {metric}: {score:.4f} (step {step})", style="bold")
    for name, value in named_areas(summary).items():
        console.print(f"{name}: {value:.4f}")
    if "entropy" in summary:
        console.print(entropy_sentence(summary["entropy"]))
    for name in ("rd.png", "reconstructions.png", "results.csv", "summary.json"):
        console.print(f"  {files.evaluation / name}")
    console.print(f"  {files.model}")
    return score


def build(node: Any, **more: Any) -> Any:
    """Instantiate a configuration node; our own errors come through as they are.

    Raises:
        ConfigError: what it stands for does not know such a setting or value.
    """
    try:
        return instantiate(node, _convert_="object", **more)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, RNNCodecError):
            raise cause from None
        outside = list(plugins.targets(OmegaConf.to_container(node, resolve=True)))
        if isinstance(cause, NOT_UNDERSTOOD) or (outside and isinstance(cause, Exception)):
            reason = " ".join(str(cause).split())
            raise ConfigError(f"{node._get_full_key(None)} cannot be built: {reason}") from error
        raise


@contextmanager
def run_loggers(cfg: DictConfig, files: RunFiles) -> Iterator[list[Logger]]:
    """The run's CSV files and what ``logger=`` names, closed at the end; none but on rank 0."""
    if not is_main():
        yield []
        return
    csv = CSVLogger(save_dir=str(files.folder), name="csv", flush_logs_every_n_steps=1)
    try:
        loggers = [csv, build(cfg.logger)] if cfg.get("logger") else [csv]
        for logger in loggers:
            if not isinstance(logger, Logger):
                raise ConfigError(f"logger: expected a logger of Lightning's, got {logger!r}")
            logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
            if isinstance(logger, WandbLogger):
                wandb_logger.label(logger, factors(cfg, files))
        yield loggers
    except Exception:
        wandb_logger.finish(failed=True)
        raise
    finally:
        wandb_logger.finish()


def training_data(cfg: DictConfig) -> Any:
    """The data module; evaluation images that are among its photographs are left out."""
    data = build(cfg.data)
    if hasattr(data, "exclude"):
        data.exclude(build(cfg.eval).paths)
    entropy = entropy_name(cfg) != NO_ENTROPY
    check_data(data, entropy=entropy, crop=cfg.entropy_fit.data.crop)
    return data
