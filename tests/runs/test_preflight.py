"""What could not end well is refused in one sentence before anything is trained."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from rnncodec.errors import ConfigError
from rnncodec.experiment import register_resolvers
from rnncodec.runs.preflight import check, check_ends
from rnncodec.runs.run_directory import RunFiles


def composed(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(Path("conf").resolve()), version_base="1.3"):
        return compose("config", overrides=["logger=csv", "run_dir=nowhere", *overrides])


@pytest.fixture(scope="module")
def plain() -> DictConfig:
    return composed()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("seed", "abc", "seed='abc': expected a whole number"),
        ("seed", -1, "seed=-1: expected 0 to 4294967295"),
        ("seed", None, "seed=None: expected a whole number"),
        ("checkpoint_every", None, "checkpoint_every=None: expected a whole number"),
        ("threads", 0, "threads=0: expected at least 1"),
        ("checkpoint_every", 0, "checkpoint_every=0: expected at least 1"),
        ("data.crop", "abc", r"data\.crop='abc': expected a whole number"),
        ("data.batch_size", 1.5, r"data\.batch_size=1\.5: expected a whole number"),
        ("trainer.log_every_n_steps", 0, "log_every_n_steps=0: expected at least 1"),
        ("trainer.val_check_interval", 0, "val_check_interval=0: expected at least 1"),
        ("trainer.val_check_interval", 0.5, r"interval=0\.5: expected a whole number"),
        ("entropy_fit.val_check_interval", 0, "val_check_interval=0: expected at least 1"),
        ("trainer.accumulate_grad_batches", 0, "accumulate_grad_batches=0: expected at least 1"),
        ("trainer.max_steps", 0, "max_steps=0: expected at least 1, or -1 for no limit"),
        ("trainer.max_steps", None, "max_steps=None: expected at least 1, or -1"),
        ("trainer.max_steps", -2, "max_steps=-2: expected at least -1"),
        ("optim.ema", 2, r"optim\.ema=2: expected 0 to 1"),
        ("optim.ema", 1, r"optim\.ema=1: expected less, as in 0\.999"),
        ("optim.optimizer.lr", -1, r"optim\.optimizer\.lr=-1: expected at least 0"),
        ("optim.optimizer.lr", "abc", r"optim\.optimizer\.lr='abc': expected a number"),
        ("optim.optimizer.lr", float("nan"), "lr=nan: expected at least 0"),
        ("entropy_fit.optimizer.lr", -1, r"entropy_fit\.optimizer\.lr=-1: expected at least 0"),
        ("trainer.precision", "bf16-true", "precision=bf16-true: choose one of auto, 32-true"),
        ("trainer.limit_val_batches", 0, r"limit_val_batches=0: .*data\.val_images"),
        ("trainer.limit_val_batches", 0.01, r"limit_val_batches=0\.01: .*data\.val_images"),
        ("trainer.max_epochs", 0, r"max_epochs=0: .*trainer\.max_steps or trainer\.max_time"),
        ("trainer.min_steps", 9, r"min_steps=9: .*leave it out"),
        ("trainer.fast_dev_run", True, r"fast_dev_run=True: .*leave it out"),
        ("trainer.callbacks", [], r"callbacks=\[\]: a run sets it itself; leave it out"),
        ("trainer.enable_checkpointing", True, "enable_checkpointing=True: a run sets it itself"),
    ],
)
def test_a_value_that_cannot_work_is_refused(
    plain: DictConfig, tmp_path: Path, name: str, value: Any, message: str
) -> None:
    cfg = plain.copy()
    OmegaConf.update(cfg, name, value, force_add=True)
    with pytest.raises(ConfigError, match=message):
        check(cfg, RunFiles(tmp_path))


@pytest.mark.parametrize(
    ("name", "value"),
    [("trainer.precision", 32), ("trainer.val_check_interval", None), ("optim.ema", 0.999)],
)
def test_what_works_is_not(plain: DictConfig, tmp_path: Path, name: str, value: Any) -> None:
    cfg = plain.copy()
    OmegaConf.update(cfg, name, value)
    check(cfg, RunFiles(tmp_path))


@pytest.mark.parametrize("group", ["data", "eval"])
def test_a_folder_that_is_not_given_is_asked_for(tmp_path: Path, group: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{group}\.root has no value; give one"):
        check(composed(f"{group}=folder"), RunFiles(tmp_path))


def test_crops_too_small_for_the_loss_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.crop=16: this loss needs crops of at least 32"):
        check(composed("loss=l1_ms_ssim", "data.crop=16"), RunFiles(tmp_path))
    with pytest.raises(ConfigError, match=r"data\.crop=16: this loss needs crops of at least 32"):
        check(composed("loss=mixed", "data.crop=16"), RunFiles(tmp_path))
    for fits in (
        ["loss=l1_ms_ssim", "data.crop=32"],
        ["loss=ssim_weighted", "data.crop=16"],
        ["loss=mixed", "loss.weights.ms_ssim=0", "data.crop=16"],
    ):
        check(composed(*fits), RunFiles(tmp_path))


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("max_time: 10:00:00:00", r"trainer.max_time=2160000: a number, .*write it in quotes"),
        ("max_time: 7200", r"trainer.max_time=7200: a number, expected DD:HH:MM:SS, as in"),
        ("max_time: 1:30.5", "a number"),
        ("max_time: 2 hours", "max_time=2 hours: expected DD:HH:MM:SS"),
        ('max_time: "02:00:00"', "max_time=02:00:00: expected DD:HH:MM:SS"),
        ("max_time: true", "a number"),
    ],
)
def test_one_that_is_none_is_refused(yaml: str, message: str) -> None:
    limits = OmegaConf.create(f"max_steps: -1\n{yaml}")
    with pytest.raises(ConfigError, match=message):
        check_ends("trainer", limits)


@pytest.mark.parametrize("given", ['"10:00:00:00"', "00:02:00:00", "null", "{hours: 2}"])
def test_what_the_trainer_takes_may_pass(given: str) -> None:
    check_ends("trainer", OmegaConf.create(f"max_steps: 5\nmax_time: {given}"))


def test_a_time_span_may_pass() -> None:
    limits = OmegaConf.create(flags={"allow_objects": True})
    limits.update({"max_steps": 5, "max_time": timedelta(hours=2)})
    check_ends("trainer", limits)
