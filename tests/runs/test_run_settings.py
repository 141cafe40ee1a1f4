"""What may change when a command is repeated, and what makes it another run."""

import json
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from rnncodec.errors import ConfigError
from rnncodec.experiment import register_resolvers
from rnncodec.models import model_file
from rnncodec.network.autoencoder import Network
from rnncodec.runs.run_directory import RunFiles
from rnncodec.runs.run_settings import (
    arithmetic,
    check_settings,
    record,
    record_arithmetic,
    settings,
)

DEMO = {"cell": {"name": "gru"}, "recon": {"name": "additive"}, "width": 0.125, "iterations": 1}


def asked(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(Path("conf").resolve()), version_base="1.3"):
        return compose("config", overrides=["run_dir=x", "logger=csv", *overrides])


def unfinished(folder: Path, *overrides: str) -> RunFiles:
    files = RunFiles(folder)
    record(asked(*overrides), files)
    files.last.parent.mkdir()
    files.last.touch()
    return files


def finished(folder: Path, *overrides: str) -> RunFiles:
    files = unfinished(folder, *overrides)
    for path in (files.model, files.summary):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return files


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("cell=lstm", r"cell=GRUResNet \(asked for: LSTM\)"),
        ("recon=one_shot", r"recon=Additive \(asked for: OneShot\)"),
        ("model=tiny", r"model.width=0.5 \(asked for: 0.125\)"),
        ("binarizer=sign", r"binarizer=stochastic \(asked for: sign\)"),
        ("loss=l1_ms_ssim", r"loss=L1 \(asked for: L1MSSSIM\), loss.alpha=not set"),
        ("optim.optimizer.lr=0.01", r"optim.optimizer.lr=0.001 \(asked for: 0.01\)"),
        ("+optim.optimizer.eps=0.1", r"optim.optimizer.eps=not set \(asked for: 0.1\)"),
        ("data=folder", r"data=DemoData \(asked for: FolderData\)"),
        ("data.batch_size=8", r"data.batch_size=32 \(asked for: 8\)"),
        ("seed=1", r"seed=0 \(asked for: 1\); choose another name=, or remove .*run and repeat"),
        ("init=a.safetensors", r"init=null \(asked for: a.safetensors\)"),
        ("trainer.precision=16-mixed", r"trainer.precision=auto \(asked for: 16-mixed\)"),
    ],
)
def test_another_run_is_refused_finished_or_not(tmp_path: Path, override: str, said: str) -> None:
    for made in (unfinished, finished):
        files = made(tmp_path / made.__name__ / "run")
        with pytest.raises(ConfigError, match=said):
            check_settings(asked(override), files)


@pytest.mark.parametrize(
    "override",
    [
        *("trainer.devices=2", "trainer.enable_progress_bar=false", "threads=1", "logger=wandb"),
        *("data.num_workers=2", "launcher=slurm", "checkpoint_every=7", "name=other"),
        "entropy_fit.max_steps=5",  # nothing to do with a run without an entropy model
    ],
)
def test_how_and_where_it_runs_may_change(tmp_path: Path, override: str) -> None:
    for made in (unfinished, finished):
        check_settings(asked(override), made(tmp_path / made.__name__))


@pytest.mark.parametrize(
    "override", ["trainer.max_steps=9", "trainer.max_time=00:09:00:00", "eval=kodak"]
)
def test_what_is_yet_to_come_may_change(tmp_path: Path, override: str) -> None:
    check_settings(asked(override), unfinished(tmp_path / "a"))
    files = finished(tmp_path / "b")
    with pytest.raises(ConfigError, match=r"asked for"):
        check_settings(asked(override), files)


def test_another_evaluation_needs_no_other_training(tmp_path: Path) -> None:
    files = finished(tmp_path)
    with pytest.raises(ConfigError, match=r"remove .*evaluation and repeat"):
        check_settings(asked("eval=kodak"), files)
    files.summary.unlink()
    check_settings(asked("eval=kodak"), files)


def test_an_entropy_model_counts_once_its_training_has_begun(tmp_path: Path) -> None:
    files = unfinished(tmp_path, "entropy=progressive")
    check_settings(asked("entropy=binary_rnn"), files)
    files.codes.touch()
    with pytest.raises(ConfigError, match=r"entropy=Progressive \(asked for: BinaryRNN\)"):
        check_settings(asked("entropy=binary_rnn"), files)


def test_for_the_codec_of_a_file_its_own_settings_count(tmp_path: Path) -> None:
    files = finished(tmp_path, "codec=a.safetensors", "entropy=progressive")
    check_settings(asked("codec=a.safetensors", "entropy=progressive", "cell=lstm"), files)
    with pytest.raises(ConfigError, match=r"codec=a.safetensors \(asked for: b.safetensors\)"):
        check_settings(asked("codec=b.safetensors", "entropy=progressive"), files)


def test_where_nothing_was_trained_anything_goes(tmp_path: Path) -> None:
    record(asked(), RunFiles(tmp_path))
    check_settings(asked("cell=lstm"), RunFiles(tmp_path))


def test_without_a_record_the_model_file_tells(tmp_path: Path) -> None:
    """As older versions left it: with fewer settings, and none of the evaluation made since."""
    files = RunFiles(tmp_path)
    noted = settings(asked())
    del noted["loss_mean"]
    torch.manual_seed(0)
    model = model_file.Model(Network.from_config(DEMO), notes={"settings": noted})
    model_file.save(files.model, model)
    files.summary.parent.mkdir()
    files.summary.touch()
    check_settings(asked("eval=kodak"), files)
    with pytest.raises(ConfigError, match=r"cell=GRUResNet \(asked for: LSTM\)"):
        check_settings(asked("cell=lstm"), files)


def test_where_a_class_lives_is_no_setting(tmp_path: Path) -> None:
    files = unfinished(tmp_path, "cell=gru")
    text = files.settings.read_text()
    files.settings.write_text(text.replace("rnncodec.network.cells.gru.", "rnncodec.cells.gru."))
    assert files.settings.read_text() != text
    check_settings(asked("cell=gru"), files)


def test_a_setting_that_the_record_is_too_old_for_has_its_default(tmp_path: Path) -> None:
    files = unfinished(tmp_path)
    recorded = json.loads(files.settings.read_text())
    del recorded["model"]["hidden_kernels"]
    files.settings.write_text(json.dumps(recorded))
    check_settings(asked(), files)
    with pytest.raises(ConfigError, match="hidden_kernels"):
        check_settings(asked("model.hidden_kernels=[1,1,1,1]"), files)


def test_damaged_record_is_named(tmp_path: Path) -> None:
    files = unfinished(tmp_path)
    files.settings.write_text("{")
    with pytest.raises(ConfigError, match=r"settings\.json: this record is damaged; delete it"):
        check_settings(asked(), files)


def test_record_is_plain_data(tmp_path: Path) -> None:
    files = unfinished(tmp_path, "cell=gru")
    cell = json.loads(files.settings.read_text())["cell"]
    assert cell["_target_"] == "rnncodec.network.cells.gru.GRU"


def test_a_run_keeps_the_arithmetic_that_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = OmegaConf.create({"trainer": {"precision": "auto", "accelerator": "cpu"}})
    files = RunFiles(tmp_path)
    monkeypatch.delenv("RNNCODEC_PRECISION", raising=False)
    for speedup in (2.5, 0.5):  # as on another machine
        monkeypatch.setattr("rnncodec.machine.devices.bf16_speedup", lambda s=speedup: s)
        record_arithmetic(cfg, files)
        found = arithmetic(cfg, files)
        assert found["precision"] == "bf16-mixed"
        assert found["reason"].startswith("bf16 is 2.50 times as fast")
    cfg.trainer.precision = "32-true"
    assert arithmetic(cfg, files)["precision"] == "32-true", "what is asked for goes before"


@pytest.mark.parametrize("text", ["", "[]", '{"precision": "bf16-mixed"}'])
def test_a_damaged_record_of_the_arithmetic_is_named(tmp_path: Path, text: str) -> None:
    cfg, files = OmegaConf.create({"trainer": {"precision": "auto"}}), RunFiles(tmp_path)
    files.arithmetic.write_text(text)
    with pytest.raises(ConfigError, match=r"arithmetic.json: this record is damaged; delete it"):
        arithmetic(cfg, files)
