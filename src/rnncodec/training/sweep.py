"""Records which jobs a sweep has, so that those still waiting are known."""

import atexit
import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import CompactHydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from rnncodec.errors import ConfigError, StorageError
from rnncodec.machine import storage
from rnncodec.machine.storage import read_page, write_page
from rnncodec.runs.job import outcome
from rnncodec.runs.run_directory import MODEL, SHARED, SWEEP, RunFiles
from rnncodec.runs.run_names import given_name, run_name
from rnncodec.training.distributed import is_main

_log = logging.getLogger(__name__)


class SweepRecord(Callback):
    """Hydra's callback around a run, a sweep and its jobs."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Refuse a name that is none before Hydra makes its folder."""
        refuse_name(config)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Write the list of jobs; that of an earlier command in the same folder is replaced.

        A sweep without a folder of its own has no list and no comparison: all other runs are
        there, too.
        """
        refuse_name(config)
        folder = Path(config.hydra.sweep.dir)
        if folder.resolve() == Path(SHARED).resolve():
            _log.info(
                "its runs lie among all others in %s: hydra.sweep.dir=%s/NAME gives the sweep a "
                "folder of its own, with a comparison at its end", folder, folder
            )  # fmt: skip
            return
        # Hydra calls at a sweep's end only where no job has failed; the process ends in any case.
        atexit.register(compare, folder)
        command = typed(config)
        record = {"command": command, "jobs": planned_jobs(config, command)}
        storage.write_text(folder / SWEEP, json.dumps(record, indent=1) + "\n")

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        """Forget that an earlier attempt failed before it could record it."""
        with suppress(OSError):  # nothing is lost: the run's own record goes before
            RunFiles(Path(config.hydra.runtime.output_dir)).failure.unlink(missing_ok=True)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Log at once what failed: Hydra does when all jobs are over, and for the first only.

        Where a run could not record its failure, a file beside its directory does.
        """
        files = RunFiles(folder := Path(config.hydra.runtime.output_dir))
        if job_return.status != JobStatus.FAILED or config.hydra.mode != RunMode.MULTIRUN:
            return
        error = job_return._return_value
        if isinstance(error, CompactHydraException) and error.__cause__ is not None:
            error = error.__cause__
        reason = outcome(error)["reason"]
        recorded = (read_page(files.record) or {}).get("state") in ("failed", "running")
        refused = files.trained and not isinstance(error, StorageError)  # it stays what it was
        if is_main() and not recorded and not refused:
            try:
                write_page(files.failure, {"reason": reason})
            except StorageError as trouble:
                _log.warning("%s", trouble)
        _log.error("failed: %s: %s", folder, reason)


def typed(config: DictConfig) -> list[str]:
    """The overrides of the command line, as they were typed."""
    return [str(item) for item in OmegaConf.to_container(config.hydra.overrides.task) or ()]


def refuse_name(config: DictConfig) -> None:
    """End the process if ``name=`` cannot be that of a folder.

    Hydra makes a warning of a callback's exceptions, and a traceback of a resolver's: outside of
    any job, an exit is the one way to say it in a sentence.
    """
    try:
        given_name(config.name, typed(config))
    except ConfigError as error:
        raise SystemExit(f"error: {error}") from error


def compare(folder: Path) -> None:
    """Put what is finished so far side by side, as `rnncodec compare` does, in ``comparison/``."""
    if not any(RunFiles(path.parent).finished for path in folder.glob(f"*/{MODEL}")):
        return
    out = str(folder / "comparison")
    command = ["compare", str(folder), "--out", out, "--force"]
    script = "from rnncodec.cli import main; main()"
    subprocess.run([sys.executable, "-c", script, *command], check=False)


def planned_jobs(config: DictConfig, command: Sequence[str]) -> list[str]:
    """The run directories of a grid's jobs, in order; none where a sweeper chooses as it runs."""
    if not str(config.hydra.sweeper._target_).endswith(f".{BasicSweeper.__name__}"):
        return []
    grid = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    running = GlobalHydra.instance()
    # The loader knows what * stands for.
    loader = running.config_loader() if running.is_initialized() else None
    overrides = OverridesParser.create(loader).parse_overrides([*grid, *command])
    (jobs,) = BasicSweeper.split_arguments(overrides, None)
    varied, folder = list(config.hydra.sweeper.params or ()), str(config.hydra.sweep.dir)
    return [run_name(None, job, varied, folder) for job in jobs]
