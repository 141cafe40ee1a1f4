"""Weights & Biases: one run per run directory, offline unless told otherwise."""

import hashlib
import os
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import WandbLogger

from rnncodec.errors import ConfigError

HOMES = ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR")
MODES = {"online", "offline", "disabled"}


def wandb_logger(
    *, save_dir: str, project: str, mode: str | None = None, **arguments: Any
) -> WandbLogger:
    """The logger of one run; its id comes from the run directory, so a resumed run goes on.

    Needs no account: offline unless ``mode`` or the environment variable ``WANDB_MODE`` says
    otherwise. Everything W&B writes lies under ``save_dir``.

    Args:
        save_dir: the run directory.
        project: W&B project.
        mode: online, offline or disabled; None takes ``WANDB_MODE``, else offline.
        **arguments: further arguments of ``wandb.init`` (entity, group, tags, ...).

    Raises:
        ConfigError: an unknown mode.
    """
    chosen = mode or os.environ.get("WANDB_MODE") or "offline"
    if chosen not in MODES:
        raise ConfigError(f"logger.mode={chosen}: choose one of {', '.join(sorted(MODES))}")
    folder = Path(save_dir).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    keep_inside(folder / "wandb")
    run = wandb.init(
        dir=str(folder),
        project=project,
        name=folder.name,
        id=hashlib.sha256(str(folder).encode()).hexdigest()[:16],
        resume="allow",
        mode=chosen,  # type: ignore[arg-type]  # checked above
        settings=wandb.Settings(console="off", silent=True),
        **arguments,
    )
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    return WandbLogger(experiment=run)


def log_evaluation(logger: WandbLogger, summary: dict[str, Any], folder: Path) -> None:
    """Log the rate-distortion curve as table and charts, its AUCs, and the pictures.

    Args:
        logger: the run's logger.
        summary: what :func:`rnncodec.evaluation.evaluate.evaluate` returned.
        folder: where it wrote its pictures.
    """
    curve = summary["curve"]
    names = list(curve[0])
    table = wandb.Table(
        columns=names, data=[[point.get(name) for name in names] for point in curve]
    )
    record: dict[str, Any] = {"rd/curve": table}
    for metric in (name for name in names if name not in ("iteration", "bpp", "images")):
        if curve[0][metric] is not None:
            record[f"rd/{metric}"] = wandb.plot.line(
                table, "bpp", metric, title=f"{metric} by bpp"
            )
    for picture in ("rd.png", "reconstructions.png"):
        record[f"rd/{Path(picture).stem}"] = wandb.Image(str(folder / picture))
    if "entropy" in summary:
        record |= entropy_record(summary["entropy"])
    logger.experiment.log(record)


def keep_inside(folder: Path) -> None:
    """Have W&B's own logs, caches and settings written here, not into the home directory."""
    for name in HOMES:
        os.environ[name] = str(folder / name.removeprefix("WANDB_").lower())


def entropy_record(entropy: dict[str, Any]) -> dict[str, Any]:
    """The summary's section on entropy coding: its single figures, and a table by iteration."""
    single = {f"entropy/{k}": v for k, v in entropy.items() if isinstance(v, float)}
    rows = entropy["by_iteration"]
    names = list(rows[0])
    data = [[row[name] for name in names] for row in rows]
    return {**single, "entropy/by_iteration": wandb.Table(columns=names, data=data)}


def finish() -> None:
    """Close the process's run, if any, so that the next job of a sweep gets its own."""
    if wandb.run is not None:
        wandb.finish()
        wandb.teardown()  # its service keeps the folders of the job it was started for
        for name in HOMES:
            os.environ.pop(name, None)
