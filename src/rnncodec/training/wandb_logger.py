"""Weights & Biases: one run per run directory, offline unless asked otherwise."""

import logging
import os
import secrets
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import WandbLogger
from wandb.sdk.mailbox import HandleAbandonedError, MailboxClosedError

from rnncodec.errors import ConfigError
from rnncodec.machine import storage

HOMES = ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR")
ID_FILE = "wandb_id"
"""In the run directory, and not in W&B's own folder, which may go once it is synchronised."""

MODES = {"online", "offline", "disabled"}

GONE = (ConnectionError, HandleAbandonedError, MailboxClosedError)
"""What W&B raises when its process has ended: as it speaks, as it waits for an answer, after."""

_log = logging.getLogger(__name__)


@contextmanager
def outliving() -> Iterator[None]:
    """Around calls of W&B: the end of its process is a warning, and not the end of the run.

    Slurm signals all processes of a job that it queues again, and W&B's own ends at once, while
    ours writes its checkpoint.
    """
    try:
        yield
    except GONE as error:
        why = str(error) or type(error).__name__
        _log.warning("W&B's process has ended before the run, and so do its records (%s)", why)


class OutlivingLogger(WandbLogger):
    """Lightning's logger, but training continues when W&B's process has ended."""

    lost = False

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log them, as long as W&B's process lives."""
        if not self.lost:
            self.lost = True
            with outliving():
                super().log_metrics(metrics, step)
                self.lost = False

    @outliving()
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Record them, if W&B's process lives."""
        super().log_hyperparams(params)


def wandb_logger(
    *,
    save_dir: str,
    project: str,
    mode: str | None = None,
    group: str | None = None,
    job_type: str | None = None,
    tags: Sequence[str] = (),
    **arguments: Any,
) -> OutlivingLogger:
    """The logger of one run; its id is in the run directory, so a resumed run has the same.

    Needs no account: offline unless ``mode`` or the environment variable ``WANDB_MODE`` says
    otherwise. Everything W&B writes (logs, caches, settings) is under ``save_dir``, and not in
    the home directory.

    Args:
        save_dir: the run directory.
        project: W&B project.
        mode: online, offline or disabled; None takes ``WANDB_MODE``, else offline.
        group: what the dashboard gathers: the runs of one sweep.
        job_type: what kind of run it is.
        tags: of the user; :func:`label` adds one for each factor.
        **arguments: further arguments of ``wandb.init`` (entity, notes, ...).

    Raises:
        ConfigError: an unknown mode.
        StorageError: the id could not be written.
    """
    chosen = mode or os.environ.get("WANDB_MODE") or "offline"
    if chosen not in MODES:
        raise ConfigError(f"logger.mode={chosen}: choose one of {', '.join(sorted(MODES))}")
    folder = Path(save_dir).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name in HOMES:
        os.environ[name] = str(folder / "wandb" / name.removeprefix("WANDB_").lower())
    run = wandb.init(
        dir=str(folder),
        project=project,
        name=folder.name,
        id=stored_id(folder),
        resume="allow",
        mode=chosen,  # type: ignore[arg-type]  # checked above
        settings=wandb.Settings(console="off", silent=True),
        group=group,
        job_type=job_type,
        tags=list(tags),
        **arguments,
    )
    with outliving():
        run.define_metric("trainer/global_step")
        run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    return OutlivingLogger(experiment=run)


def stored_id(folder: Path) -> str:
    """The id of a run directory's W&B run: drawn once, whatever is trained or moved later.

    Of an older run, which stored none, it is that of its last attempt.
    """
    path = folder / ID_FILE
    if path.exists() and (stored := path.read_text().strip()):
        return stored
    earlier = [path.name.split("-")[-2:] for path in (folder / "wandb").glob("*run-*-*")]
    drawn = max(earlier)[1] if earlier else secrets.token_hex(8)  # by the time in the name
    storage.write_text(path, drawn + "\n")
    return drawn


@outliving()
def label(logger: WandbLogger, factors: Mapping[str, str]) -> None:
    """Tag the run with each factor, as ``cell=gru``, and add them to its config to group by.

    ``factors.codec`` names cell and reconstruction together: bar charts group by one key only.
    """
    run = logger.experiment
    run.tags = tuple(dict.fromkeys([*run.tags, *(f"{k}={v}" for k, v in factors.items())]))
    codec = f"{factors['cell']}, {factors['recon']}"
    run.config.update({"factors": {**factors, "codec": codec}}, allow_val_change=True)


def finish(*, failed: bool = False) -> None:
    """Close the process's run, if any, so that the next job of a sweep gets its own."""
    if wandb.run is not None:
        with outliving():
            wandb.finish(exit_code=int(failed))
        with outliving():
            wandb.teardown()  # its service stays in the folders of the job it was started for
        wandb.run = None  # one whose process has ended stays there, and the next job would get it
        for name in HOMES:
            os.environ.pop(name, None)
