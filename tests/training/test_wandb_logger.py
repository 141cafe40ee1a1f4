"""One offline run per run directory, and nothing anywhere else."""

import os
from pathlib import Path

import pytest

from rnncodec.errors import ConfigError
from rnncodec.training.wandb_logger import finish, log_evaluation, wandb_logger


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
    assert "WANDB_MODE" not in os.environ, "the next job of a sweep chooses for itself"
    written = list((tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb"))
    assert written
    assert all(path.stat().st_size > 0 for path in written)
    assert not [path for path in home.rglob("*") if path.is_file()]


def test_curve_and_pictures_are_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("rd.png", "reconstructions.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    curve = [{"iteration": t, "images": 1, "bpp": t / 8, "psnr_rgb": 20.0 + t} for t in (1, 2)]
    try:
        logger = wandb_logger(save_dir=str(tmp_path / "run"), project="test")
        entropy = {"model": "progressive", "bits_per_bit": 0.9, "by_iteration": [{"iteration": 1}]}
        log_evaluation(logger, {"curve": curve, "auc": {}, "entropy": entropy}, tmp_path)
        assert logger.experiment.summary["entropy/bits_per_bit"] == 0.9
    finally:
        finish()
    (run,) = (tmp_path / "run" / "wandb").glob("offline-run-*")
    media = {
        path.name.split("_")[0] for path in (run / "files/media").rglob("*") if path.is_file()
    }
    assert {"rd", "reconstructions", "curve", "by"} <= media, "by_iteration too"


def test_unknown_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose one of disabled, offline, online"):
        wandb_logger(save_dir=str(tmp_path), project="test", mode="loud")
