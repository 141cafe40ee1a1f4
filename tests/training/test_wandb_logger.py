"""One offline run per run directory, and nothing anywhere else."""

import gc
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest
import wandb
from tests.training.wandb_file import WandbFile

from rnncodec.errors import ConfigError
from rnncodec.training.wandb_logger import finish, label, stored_id, wandb_logger


def test_needs_no_account_and_writes_only_into_the_run_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(variable)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    ids = []
    try:
        for attempt in range(2):
            logger = wandb_logger(save_dir=str(tmp_path / "run"), project="test")
            logger.log_metrics({"train/loss": 1.0 / (attempt + 1)}, step=attempt)
            ids.append(logger.experiment.id)
            finish()
    finally:
        finish()
    assert ids[0] == ids[1], "a resumed run goes on"
    assert ids[0] == stored_id(tmp_path / "run")
    assert "WANDB_MODE" not in os.environ, "the next job of a sweep chooses for itself"
    found = [WandbFile(path) for path in sorted((tmp_path / "run/wandb").glob("offline-run-*"))]
    steps = [[row["trainer/global_step"] for row in one.rows("train/loss")] for one in found]
    assert steps == [[0], [1]], "an attempt each"
    written = list((tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb"))
    assert written
    assert all(path.stat().st_size > 0 for path in written)
    assert not [path for path in home.rglob("*") if path.is_file()]


def test_factors_are_tags_and_keys_to_group_by(tmp_path: Path) -> None:
    try:
        logger = wandb_logger(
            save_dir=str(tmp_path), project="test", mode="offline", group="grid",
            job_type="train", tags=["mine"],
        )  # fmt: skip
        label(logger, {"cell": "gru", "recon": "additive", "entropy": "none"})
    finally:
        finish()
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    found = WandbFile(run)
    assert sorted(found.tags) == ["cell=gru", "entropy=none", "mine", "recon=additive"]
    assert (found.group, found.job_type, found.project) == ("grid", "train", "test")
    factors = {"cell": "gru", "recon": "additive", "entropy": "none", "codec": "gru, additive"}
    assert found.config["factors"] == factors


def test_a_run_outlives_the_process_of_wandb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where Slurm queues a job again, it signals all processes of the job."""

    def lost(*_: object, **__: object) -> None:
        raise ConnectionResetError("Connection lost")

    logger = wandb_logger(save_dir=str(tmp_path), project="test", mode="offline")
    try:
        logger.log_metrics({"train/loss": 1.0}, step=0)
        assert "ended before the run" not in caplog.text
        monkeypatch.setattr(logger.experiment, "log", lost)
        logger.log_metrics({"train/loss": 1.0}, step=1)
        logger.log_metrics({"train/loss": 1.0}, step=2)
        assert caplog.text.count("ended before the run") == 1, "not said at each step"
    finally:
        finish()
    monkeypatch.setattr(wandb, "run", logger.experiment)
    monkeypatch.setattr(wandb, "finish", lost)
    finish()
    assert caplog.text.count("ended before the run") == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot stop a process")
@pytest.mark.parametrize("moment", ["before", "while it finishes"])
def test_the_process_of_wandb_is_killed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, moment: str
) -> None:
    logger = wandb_logger(save_dir=str(tmp_path), project="test", mode="offline")
    core = process_of_wandb()
    try:
        if moment == "before":
            core.kill()
            core.wait()
            logger.log_metrics({"train/loss": 1.0}, step=1)
            logger.log_hyperparams({"seed": 0})
            label(logger, {"cell": "gru", "recon": "additive"})
        else:
            core.send_signal(signal.SIGSTOP)
            Timer(1.0, core.kill).start()
    finally:
        finish()
    warnings = caplog.text.count("ended before the run")
    assert warnings
    try:
        again = wandb_logger(save_dir=str(tmp_path / "next"), project="test", mode="offline")
        again.log_metrics({"train/loss": 1.0}, step=0)
        assert again.experiment.id != logger.experiment.id, "the next job has its own run"
    finally:
        finish()
    assert caplog.text.count("ended before the run") == warnings
    core.wait()


def process_of_wandb() -> subprocess.Popen[bytes]:
    found = [each for each in gc.get_objects() if type(each) is subprocess.Popen]
    (core,) = (each for each in found if "wandb-core" in str(each.args) and each.poll() is None)
    return core


def test_unknown_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose one of disabled, offline, online"):
        wandb_logger(save_dir=str(tmp_path), project="test", mode="loud")


def test_a_new_training_in_the_same_place_has_an_id_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = stored_id(folder)
    assert stored_id(folder) == first, "gone on with"
    shutil.move(folder, tmp_path / "kept")
    assert stored_id(folder) != first, "the folder was removed and the command repeated"
    assert stored_id(tmp_path / "kept") == first, "moved"


def test_an_older_run_keeps_the_id_of_its_attempts(tmp_path: Path) -> None:
    for name in (
        *("offline-run-20260102_030405-9d68603f432897ca", "run-20260203_040506-da0ef152bd67da54"),
        *("offline-run-20251231_030405-ffffffffffffffff", "latest-run"),
    ):
        (tmp_path / "wandb" / name).mkdir(parents=True)
    assert stored_id(tmp_path) == "da0ef152bd67da54"
    shutil.rmtree(tmp_path / "wandb")
    assert stored_id(tmp_path) == "da0ef152bd67da54", "also when its records are cleared away"


def test_a_damaged_id_is_drawn_again(tmp_path: Path) -> None:
    (tmp_path / "wandb_id").touch()
    assert len(stored_id(tmp_path)) == 16
    assert stored_id(tmp_path) == stored_id(tmp_path)
