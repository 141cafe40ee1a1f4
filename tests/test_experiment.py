"""Whole runs, small: train, stop, go on, export, evaluate; through train.py as users start it."""

import csv
import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.callbacks import EMAWeightAveraging
from lightning.pytorch.loggers import CSVLogger
from PIL import Image
from safetensors.torch import load_file
from tests.training.wandb_file import WandbFile

from rnncodec import experiment
from rnncodec.codec import load
from rnncodec.errors import ConfigError, DataError, DivergenceError, ModelError, RNNCodecError
from rnncodec.evaluation.codecs import EvaluatedModel
from rnncodec.machine.signals import Terminated
from rnncodec.models import model_file
from rnncodec.runs.job import Job
from rnncodec.runs.run_directory import RunFiles
from rnncodec.runs.sweep_status import run_status
from rnncodec.training.callbacks import LastCheckpoint
from rnncodec.training.code_data import CodeData
from rnncodec.training.codec_module import CodecModule, ValidationScores
from rnncodec.training.divergence import StopIfDiverged
from rnncodec.training.entropy_module import EntropyModule
from rnncodec.training.selection import EntropySelection, Selection

SMALL = [
    "model=tiny",
    "model.iterations=2",
    "data=folder",
    "data.batch_size=4",
    "data.val_fraction=0.3",
    "data.val_size=32",
    "data.val_images=2",
    "eval=folder",
    "trainer.precision=32-true",
    "trainer.accelerator=cpu",
    "trainer.max_time=null",
    "trainer.enable_progress_bar=false",
]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 12 small smooth-and-noisy pictures, and 2 others for evaluation."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for k in range(14):
        y, x = np.mgrid[0:48, 0:64] / 64
        waves = [
            np.sin(2 * np.pi * (rng.uniform(0, 3) * x + rng.uniform(0, 3) * y)) for _ in "rgb"
        ]
        pixels = 128 + 90 * np.stack(waves, -1) + rng.normal(0, 6, (48, 64, 3))
        path = folder / ("eval" if k >= 12 else "train") / f"{k:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return folder


def settings(photographs: Path, *more: str) -> list[str]:
    roots = [f"data.root={photographs / 'train'}", f"eval.root={photographs / 'eval'}"]
    return [*SMALL, *roots, *more]


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def run(folder: Path, overrides: list[str]) -> float:
    experiment.register_resolvers()
    with initialize_config_dir(str(Path("conf").resolve()), version_base="1.3"):
        cfg = compose("config", overrides=[*overrides, f"run_dir={folder}"])
    return experiment.run(cfg)


def test_a_run_trains_exports_evaluates_and_is_not_repeated(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = settings(
        photographs, "cell=gru", "trainer.max_steps=4", "trainer.val_check_interval=2",
        "optim.ema=0.9", "logger=csv", "trainer.log_every_n_steps=1",
    )  # fmt: skip
    score = run(tmp_path, overrides)
    assert 5 < score < 60, "PSNR in dB: the images are too small for MS-SSIM"
    assert model_file.load(tmp_path / "model.safetensors").notes["score_metric"] == "psnr_rgb"
    rows = table(tmp_path / "evaluation/results.csv")
    assert [row["iteration"] for row in rows] == ["1", "2", "1", "2"]
    overhead = 8 * (40 + 2 * 8) / (64 * 48)
    assert 0.25 < float(rows[1]["bpp"]) <= 0.25 + overhead, "nominal 2/8, and what a file adds"
    summary = json.loads((tmp_path / "evaluation/summary.json").read_text())
    assert len(summary["codecs"][0]["curves"]["psnr_rgb"]) == 2
    for name in ("rd.png", "reconstructions.png"):
        with Image.open(tmp_path / "evaluation" / name) as picture:
            assert picture.width > 300
    metrics = table(tmp_path / "csv/version_0/metrics.csv")
    logged = set(metrics[0])
    assert {"train/loss_t01", "train/loss_t02", "train/learning_rate", "val/score"} <= logged
    before = stamps(tmp_path)
    assert "finished earlier" not in capsys.readouterr().out
    assert run(tmp_path, overrides) == score
    assert stamps(tmp_path) == before
    assert "finished earlier" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"holds a run with cell=GRU \(asked for: LSTM\)"):
        run(tmp_path, [*overrides, "cell=lstm"])


def test_a_run_on_wandb_says_what_it_was_and_how_it_scored(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    overrides = settings(
        photographs, "cell=gru", "trainer.max_steps=1", "trainer.log_every_n_steps=1",
        "logger.group=grid", "logger.project=lab",
    )  # fmt: skip
    run(tmp_path, overrides)
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    found = WandbFile(folder)
    assert (found.project, found.group, found.job_type) == ("lab", "grid", "train")
    assert sorted(found.tags) == ["cell=gru", "entropy=none", "recon=additive"]
    assert found.config["factors"]["codec"] == "gru, additive"
    assert found.config["model"]["iterations"] == 2, "plain nested dictionaries"
    assert found.config["data"]["batch_size"] == 4
    (trained,) = found.rows("train/loss")
    assert trained["train/loss"] == pytest.approx(
        (trained["train/loss_t01"] + trained["train/loss_t02"]) / 2
    )
    results = table(tmp_path / "evaluation/results.csv")
    for row in found.rows("rd/psnr_rgb"):
        same = [r for r in results if int(r["iteration"]) == row["rd/iteration"]]
        assert row["rd/bpp"] == pytest.approx(np.mean([float(r["bpp"]) for r in same]))
        assert row["rd/psnr_rgb"] == pytest.approx(np.mean([float(r["psnr_rgb"]) for r in same]))
    assert len(found.rows("rd/psnr_rgb")) == 2
    assert not found.rows("rd/ms_ssim"), "the images are too small"
    assert not [key for key in found.summary if key.startswith("auc/")], "two iterations"


def test_a_run_that_diverges_fails_and_keeps_what_was_good(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    overrides = settings(
        photographs, "cell=gru", "trainer.max_steps=4", "trainer.val_check_interval=2",
        "optim.optimizer.lr=1e-3", "optim.ema=0.9", "checkpoint_every=1",
    )  # fmt: skip
    train = CodecModule.training_step

    def overflows(self: CodecModule, batch: dict[str, torch.Tensor], batch_idx: int) -> object:
        if self.global_step == 2:  # what a learning rate of 1e38 leaves behind
            next(self.network.decoder.parameters()).data.fill_(3e38)
        return train(self, batch, batch_idx)

    monkeypatch.setattr(CodecModule, "training_step", overflows)
    with pytest.raises(
        DivergenceError, match=r"diverged at step 3: .*network\.\S+ .* is not finite"
    ):
        run(tmp_path, overrides)
    status = run_status(tmp_path, "run")
    assert status.state == "failed"
    assert str(status.reason).startswith("DivergenceError: training diverged at step 3")
    files = RunFiles(tmp_path)
    assert model_file.read(files.best)[0]["notes"]["step"] == 2
    assert torch.load(files.last, weights_only=True)["global_step"] == 2
    assert not files.model.exists()
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert WandbFile(folder).exit_code == 1


def test_both_trainings_end_if_they_diverge_before_they_save(
    photographs: Path, tmp_path: Path
) -> None:
    with initialize_config_dir(str(Path("conf").resolve()), version_base="1.3"):
        cfg = compose("config", overrides=settings(photographs, "optim.ema=0.9"))
    files = RunFiles(tmp_path)
    network = experiment.build_module(cfg).network
    selection = EntropySelection(files.entropy_best, model_file.Model(network))
    wanted = [EMAWeightAveraging, StopIfDiverged, LastCheckpoint]
    for_codec = (cfg.optim.schedule, Selection(files.best), files.last)
    around = [type(each) for each in experiment.callbacks(cfg, *for_codec, ema=cfg.optim.ema)]
    assert [kind for kind in around if kind in wanted] == wanted
    for_entropy = (cfg.entropy_fit.schedule, selection, files.entropy_last)
    around = [type(each) for each in experiment.callbacks(cfg, *for_entropy)]
    assert [kind for kind in around if kind in wanted] == wanted[1:]


def test_a_killed_run_goes_on_on_wandb_at_the_step_of_its_checkpoint(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    overrides = settings(
        photographs, "cell=gru", "trainer.max_steps=7", "trainer.val_check_interval=7",
        "trainer.log_every_n_steps=1", "checkpoint_every=2",
    )  # fmt: skip
    train = CodecModule.training_step

    def dies(self: CodecModule, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        if self.global_step == 5:
            raise MemoryError("killed")
        return train(self, batch, batch_idx)

    monkeypatch.setattr(CodecModule, "training_step", dies)
    with pytest.raises(MemoryError):
        run(tmp_path, overrides)
    monkeypatch.undo()
    monkeypatch.setenv("WANDB_MODE", "offline")
    first = set((tmp_path / "wandb").glob("offline-run-*"))
    time.sleep(1.1)  # W&B names an attempt's folder by the second
    run(tmp_path, overrides)
    second = set((tmp_path / "wandb").glob("offline-run-*")) - first
    steps = [
        [row["trainer/global_step"] for row in WandbFile(folder).rows("train/loss")]
        for (folder,) in (first, second)
    ]
    assert steps == [[0, 1, 2, 3, 4], [4, 5, 6]], "those after the checkpoint again, none left out"
    assert steps_in_csv(tmp_path) == steps


def test_a_terminated_run_is_one_wandb_run_with_the_rows_of_an_undisturbed_one(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    overrides = settings(
        photographs, "cell=gru", "trainer.max_steps=7", "trainer.val_check_interval=2",
        "trainer.log_every_n_steps=1", "checkpoint_every=100",
    )  # fmt: skip
    run(tmp_path / "a", overrides)
    train = CodecModule.training_step

    def told(self: CodecModule, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        if self.global_step == 4:
            signal.raise_signal(signal.SIGTERM)
        return train(self, batch, batch_idx)

    monkeypatch.setattr(CodecModule, "training_step", told)
    with pytest.raises(Terminated):
        run(tmp_path / "b", overrides)
    monkeypatch.setattr(CodecModule, "training_step", train)
    time.sleep(1.1)  # W&B names an attempt's folder by the second
    run(tmp_path / "b", overrides)
    attempts = sorted((tmp_path / "b/wandb").glob("offline-run-*"))
    assert len(attempts) == 2
    assert len({path.name.rpartition("-")[2] for path in attempts}) == 1, "one id"
    (undisturbed,) = (tmp_path / "a/wandb").glob("offline-run-*")
    for key, steps in (("train/loss", [*range(7)]), ("val/score", [1, 3, 5, 7])):
        wanted, found = (curve(key, folders) for folders in ([undisturbed], attempts))
        assert found == wanted
        assert [step for step, _ in found] == steps, "none twice, none left out"


def curve(key: str, attempts: list[Path]) -> list[tuple[int, float]]:
    """(step, value) of all attempts on W&B, in the order they were logged."""
    rows = [row for folder in attempts for row in WandbFile(folder).rows(key)]
    return [(row["trainer/global_step"], row[key]) for row in rows]


def steps_in_csv(folder: Path) -> list[list[int]]:
    tables = [table(path) for path in sorted(folder.glob("csv/version_*/metrics.csv"))]
    return [[int(row["step"]) for row in rows if row.get("train/loss")] for rows in tables]


def test_two_cells_export_different_tensors_and_init_starts_from_them(
    photographs: Path, tmp_path: Path
) -> None:
    for cell in ("gru", "lstm"):
        run(
            tmp_path / cell,
            settings(photographs, f"cell={cell}", "trainer.max_steps=1", "logger=csv"),
        )
    exported = {cell: load_file(tmp_path / cell / "model.safetensors") for cell in ("gru", "lstm")}
    assert {k: v.shape for k, v in exported["gru"].items()} != {
        k: v.shape for k, v in exported["lstm"].items()
    }
    with initialize_config_dir(str(Path("conf").resolve()), version_base="1.3"):
        start = f"init={tmp_path / 'gru/model.safetensors'}"
        warm = compose("config", overrides=settings(photographs, "cell=gru", start))
        wrong = compose("config", overrides=settings(photographs, "cell=lstm", start))
    weights = experiment.build_module(warm).network.state_dict()
    for name, tensor in exported["gru"].items():
        assert torch.equal(weights[name.removeprefix("network.")], tensor)
    with pytest.raises(ModelError, match="another architecture"):
        experiment.build_module(wrong)


def test_checkpoint_of_another_architecture_is_refused(photographs: Path, tmp_path: Path) -> None:
    run(tmp_path, settings(photographs, "cell=gru", "trainer.max_steps=1", "logger=csv"))
    for name in ("model.safetensors", "settings.json"):  # as older versions left it, unfinished
        (tmp_path / name).unlink()
    overrides = settings(photographs, "cell=gru", "model.width=0.25", "logger=csv")
    with pytest.raises(ModelError, match=r"choose another name= or delete it"):
        run(tmp_path, [*overrides, "trainer.max_steps=2"])


def test_damaged_checkpoint_is_named(photographs: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/last.ckpt").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ModelError, match=r"last\.ckpt: this checkpoint cannot be read"):
        run(tmp_path, settings(photographs, "trainer.max_steps=1", "logger=csv"))


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("trainer.max_steps=-1", ConfigError, "training would never end"),
        ("model.iterations=0", ConfigError, "iterations=0: expected 1 to 255"),
        ("model.width=0.3", ConfigError, "width=0.3"),
        ("data.root=/nonexistent", DataError, "/nonexistent"),
        ("data.crop=64", DataError, "64"),
        ("init=/nonexistent", ModelError, "no such model file"),
        ("logger.mode=loud", ConfigError, "choose one of disabled, offline, online"),
        ("threads=0", ConfigError, "threads=0: expected at least 1"),
        ("~optim", ConfigError, "the configuration is not whole: Key 'optim'"),
        ("+cell.gates=9", ConfigError, "model cannot be built: .*'gates'"),
        ("+optim.optimizer.moment=1", ConfigError, "optim.optimizer cannot be built: .*'moment'"),
        ("+trainer.speed=1", ConfigError, "trainer cannot be built: .*'speed'"),
    ],
)
def test_bad_settings_are_one_clear_error(
    photographs: Path, tmp_path: Path, override: str, error: type[Exception], message: str
) -> None:
    logger = "logger=wandb" if "logger" in override else "logger=csv"
    overrides = settings(photographs, "trainer.max_steps=1", logger, override)
    with pytest.raises(error, match=message):
        run(tmp_path, overrides)
    assert not (tmp_path / "model.safetensors").exists()


def test_a_run_without_a_logger_writes_its_csv_files(photographs: Path, tmp_path: Path) -> None:
    with initialize_config_dir(str(Path("conf").resolve()), version_base="1.3"):
        cfg = compose("config", overrides=settings(photographs, "~logger", "run_dir=x"))
    with experiment.run_loggers(cfg, RunFiles(tmp_path)) as loggers:
        assert [type(logger) for logger in loggers] == [CSVLogger]


def start(folder: Path, overrides: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "train.py", *overrides, f"hydra.run.dir={folder}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_a_user_sees_the_error_without_a_traceback(photographs: Path, tmp_path: Path) -> None:
    process = start(
        tmp_path, settings(photographs, "trainer.max_steps=1", "data.root=/nonexistent")
    )
    message, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert b"error: image folder /nonexistent does not exist" in message
    assert b"Traceback" not in message


def test_a_folder_below_home_needs_no_quotes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train.py", "data=folder", "data.root=~/photos", "--cfg", "job"]
    monkeypatch.setattr(sys, "argv", command)
    runpy.run_path("train.py", run_name="__main__")
    assert f"root: {Path.home()}/photos" in capsys.readouterr().out


def wait_for(path: Path, process: subprocess.Popen[bytes], *, newer_than: int = 0) -> None:
    deadline = time.monotonic() + 120
    while not (path.exists() and path.stat().st_mtime_ns > newer_than):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


def test_interrupted_killed_and_repeated_ends_bit_identical(
    photographs: Path, tmp_path: Path
) -> None:
    """Ctrl-C, then kill -9, then the same command: the weights of an undisturbed run."""
    overrides = settings(
        photographs, "trainer.max_steps=60", "trainer.val_check_interval=20",
        "checkpoint_every=5", "logger=csv", "optim.ema=0.9", "trainer.log_every_n_steps=1",
    )  # fmt: skip
    last = tmp_path / "b/checkpoints/last.ckpt"
    process = start(tmp_path / "b", overrides)
    wait_for(last, process)
    process.send_signal(signal.SIGINT)
    message, _ = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGINT, message
    assert b"repeat the command to go on" in message
    assert b"Traceback" not in message
    assert run_status(tmp_path / "b", "run").state == "waiting", "to be gone on with"
    assert torch.load(last, weights_only=True)["global_step"] < 60
    stamp = last.stat().st_mtime_ns
    process = start(tmp_path / "b", overrides)
    wait_for(last, process, newer_than=stamp)
    process.kill()
    process.communicate()
    assert not (tmp_path / "b/model.safetensors").exists(), "killed before the end"
    process = start(tmp_path / "b", overrides)
    message, _ = process.communicate(timeout=240)
    assert process.returncode == 0, message
    process = start(tmp_path / "a", [*overrides, "data.num_workers=2"])
    message, _ = process.communicate(timeout=240)
    assert process.returncode == 0, message
    a, b = (model_file.read(tmp_path / side / "model.safetensors") for side in "ab")
    assert a[0]["notes"]["score"] == b[0]["notes"]["score"]
    assert a[0]["notes"]["step"] == b[0]["notes"]["step"]
    assert all(torch.equal(tensor, b[1][name]) for name, tensor in a[1].items())
    states = [
        torch.load(tmp_path / side / "checkpoints/last.ckpt", weights_only=True) for side in "ab"
    ]
    assert states[0]["global_step"] == states[1]["global_step"] == 60
    for name, tensor in states[0]["current_model_state"].items():
        assert torch.equal(tensor, states[1]["current_model_state"][name]), name


def interrupt(
    folder: Path, overrides: list[str], monkeypatch: pytest.MonkeyPatch, *, step: int
) -> None:
    """A run with Ctrl-C in the midst of a step, counted from 1."""
    train = CodecModule.training_step

    def asked(self: CodecModule, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        if self.global_step == step - 1:
            signal.raise_signal(signal.SIGINT)
        return train(self, batch, batch_idx)

    with monkeypatch.context() as patched:
        patched.setattr(CodecModule, "training_step", asked)
        with pytest.raises(KeyboardInterrupt):
            run(folder, overrides)
    checkpoint = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == step


@pytest.mark.parametrize("step", [6, 8], ids=["between validations", "at a validation"])
def test_interrupted_where_the_score_would_peak_exports_the_same_model(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """An undisturbed run validates only every 4 steps, and knows of no peak at step 6."""
    overrides = settings(
        photographs, "cell=gru", "trainer.max_steps=12", "trainer.val_check_interval=4",
        "logger=csv", "optim.ema=0.9",
    )  # fmt: skip
    judged: list[int] = []

    def judge(self: Selection, pl_module: CodecModule, scores: list[ValidationScores]) -> float:
        judged.append(pl_module.global_step)
        return 9.0 if pl_module.global_step == 6 else pl_module.global_step / 10

    monkeypatch.setattr(Selection, "judge", judge)
    run(tmp_path / "a", overrides)
    interrupt(tmp_path / "b", overrides, monkeypatch, step=step)
    run(tmp_path / "b", overrides)
    assert judged == 2 * [4, 8, 12]
    a, b = (model_file.read(tmp_path / side / "model.safetensors") for side in "ab")
    assert a[0]["notes"]["step"] == b[0]["notes"]["step"] == 12
    assert all(torch.equal(tensor, b[1][name]) for name, tensor in a[1].items())


def test_ended_in_the_midst_of_a_validation_goes_on_bit_identically(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the network holds the averaged weights, with which it must not go on."""
    overrides = settings(
        photographs, "trainer.max_steps=12", "trainer.val_check_interval=4", "checkpoint_every=3",
        "logger=csv", "optim.ema=0.9",
    )  # fmt: skip
    run(tmp_path / "a", overrides)
    validate = CodecModule.validation_step

    def told(self: CodecModule, batch: dict[str, torch.Tensor], batch_idx: int) -> object:
        if self.global_step == 8:
            signal.raise_signal(signal.SIGTERM)
        return validate(self, batch, batch_idx)

    monkeypatch.setattr(CodecModule, "validation_step", told)
    with pytest.raises(Terminated):
        run(tmp_path / "b", overrides)
    monkeypatch.undo()
    checkpoint = torch.load(tmp_path / "b/checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 6, "at once, and without the averaged weights"
    run(tmp_path / "b", overrides)
    a, b = (model_file.read(tmp_path / side / "model.safetensors") for side in "ab")
    assert a[0]["notes"] == b[0]["notes"]
    assert all(torch.equal(tensor, b[1][name]) for name, tensor in a[1].items())


def test_with_gathered_gradients_steps_are_counted_and_goes_on_bit_identically(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed and interrupted within a step of two batches, soon after a validation."""
    overrides = settings(
        photographs, "cell=gru", "trainer.max_steps=5", "trainer.val_check_interval=2",
        "checkpoint_every=1", "logger=csv", "+trainer.accumulate_grad_batches=2",
    )  # fmt: skip
    judged: list[int] = []
    judge, train = Selection.judge, CodecModule.training_step

    def noted(self: Selection, pl_module: CodecModule, scores: list[ValidationScores]) -> float:
        judged.append(pl_module.global_step)
        return judge(self, pl_module, scores)

    monkeypatch.setattr(Selection, "judge", noted)
    run(tmp_path / "a", overrides)
    assert judged == [2, 4, 5]

    def disturbed(self: CodecModule, batch: dict[str, torch.Tensor], batch_idx: int) -> object:
        if batch_idx == 5 and not killed:
            killed.append(True)
            raise MemoryError("killed")
        if batch_idx == 6:
            signal.raise_signal(signal.SIGINT)
        return train(self, batch, batch_idx)

    killed: list[bool] = []
    monkeypatch.setattr(CodecModule, "training_step", disturbed)
    for end, step in ((MemoryError, 2), (KeyboardInterrupt, 4)):
        with pytest.raises(end):
            run(tmp_path / "b", overrides)
        checkpoint = torch.load(tmp_path / "b/checkpoints/last.ckpt", weights_only=True)
        assert checkpoint["global_step"] == step
    run(tmp_path / "b", overrides)
    assert judged == 2 * [2, 4, 5]
    a, b = (load_file(tmp_path / side / "model.safetensors") for side in "ab")
    assert all(torch.equal(a[name], b[name]) for name in a)


def run_until_all_are_told_to_end(folder: Path, overrides: list[str]) -> None:
    """As Slurm does when it takes a job away; in a process group of its own."""
    os.setsid()
    train = CodecModule.training_step

    def told(self: CodecModule, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        if self.global_step == 4:
            kill = f"kill -s TERM -- -{os.getpgid(0)}"  # not by ourselves: that is an order
            subprocess.run(["sh", "-c", kill], start_new_session=True, check=True)
            time.sleep(0.5)  # for a worker to end, and for PyTorch to notice
        return train(self, batch, batch_idx)

    CodecModule.training_step = told  # type: ignore[method-assign]
    run(folder, overrides)


@pytest.mark.filterwarnings("ignore:.* use of fork:DeprecationWarning")
def test_terminated_with_its_loader_workers_goes_on_from_the_step_reached(
    photographs: Path, tmp_path: Path
) -> None:
    overrides = settings(
        photographs, "cell=gru", "trainer.max_steps=8", "trainer.val_check_interval=8",
        "logger=csv",
    )  # fmt: skip
    run(tmp_path / "a", overrides)
    process = get_context("fork").Process(
        target=run_until_all_are_told_to_end,
        args=(tmp_path / "b", [*overrides, "data.num_workers=1"]),
    )
    process.start()
    process.join(120)
    assert process.exitcode is not None
    checkpoint = torch.load(tmp_path / "b/checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 5
    assert run_status(tmp_path / "b", "run").state == "waiting", "to be gone on with"
    run(tmp_path / "b", overrides)
    a, b = (model_file.read(tmp_path / side / "model.safetensors") for side in "ab")
    assert a[0]["notes"]["score"] == b[0]["notes"]["score"]
    assert all(torch.equal(tensor, b[1][name]) for name, tensor in a[1].items())


ENTROPY = [
    "cell=gru", "entropy=progressive", "entropy.hidden=8", "logger=csv", "checkpoint_every=2",
    "trainer.max_steps=1", "trainer.log_every_n_steps=1", "entropy_fit.data.crops=6",
    "entropy_fit.data.crop=32", "entropy_fit.data.batch_size=2", "entropy_fit.max_steps=6",
    "entropy_fit.max_time=null", "entropy_fit.val_check_interval=3",
]  # fmt: skip


@pytest.fixture(scope="module")
def entropy_run(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("entropy_run")
    run(folder, settings(photographs, *ENTROPY))
    return folder


def stamps(folder: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_entropy_model_is_trained_after_the_codec_and_not_again(
    photographs: Path, entropy_run: Path
) -> None:
    before = stamps(entropy_run)
    score = run(entropy_run, settings(photographs, *ENTROPY))
    assert stamps(entropy_run) == before
    codec = load(entropy_run / "model.safetensors")
    assert codec.model.notes["score"] == score, "that of the codec"
    assert codec.model.entropy.config == {"name": "progressive", "iterations": 2, "hidden": 8}
    kept = load_file(entropy_run / "checkpoints/codec.safetensors")
    weights = codec.model.network.state_dict()
    assert all(torch.equal(weights[name.removeprefix("network.")], t) for name, t in kept.items())
    with Image.open(photographs / "eval/12.png") as image:
        codes = codec.encode_codes(image)
        assert np.array_equal(codec.decode_codes(codec.encode(image)), codes)


MOMENTS = {
    "training": (CodecModule, "training_step"),
    "codes": (CodeData, "analyse"),
    "evaluation": (EvaluatedModel, "code"),
}


def train_until_told_to_end(moment: str, folder: Path, overrides: list[str]) -> None:
    """As a user starts it; SIGTERM comes before one of its methods is called."""
    where, name = MOMENTS[moment]
    method = getattr(where, name)

    def told(*given: object, **more: object) -> object:
        signal.raise_signal(signal.SIGTERM)
        return method(*given, **more)

    setattr(where, name, told)
    sys.argv = ["train.py", *overrides, f"hydra.run.dir={folder}"]
    runpy.run_path("train.py", run_name="__main__")


@pytest.mark.filterwarnings("ignore:.* use of fork:DeprecationWarning")
@pytest.mark.parametrize("moment", MOMENTS)
def test_terminated_at_any_time_it_waits_to_be_gone_on_with(
    photographs: Path, entropy_run: Path, tmp_path: Path, moment: str
) -> None:
    overrides = settings(photographs, *ENTROPY)
    process = get_context("fork").Process(
        target=train_until_told_to_end, args=(moment, tmp_path, overrides)
    )
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGTERM, "whoever started it knows"
    status = run_status(tmp_path, "run")
    assert (status.state, status.reason) == ("waiting", "Terminated: told to end (SIGTERM)")
    run(tmp_path, overrides)
    tables = [table(path) for path in tmp_path.glob("csv/version_*/metrics.csv")]
    rows = [row for rows in tables for row in rows]
    for column, steps in (("train/loss", 1), ("entropy_train/bits_per_bit", 6)):
        assert sum(bool(row.get(column)) for row in rows) == steps, "none twice"
    a, b = (load_file(folder / "model.safetensors") for folder in (entropy_run, tmp_path))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_summary_and_logs_tell_what_entropy_coding_gains(
    photographs: Path, entropy_run: Path
) -> None:
    section = json.loads((entropy_run / "evaluation/summary.json").read_text())["entropy"]
    assert section["model"] == "progressive"
    assert abs(section["rate_lost_to_quantisation"]) < 0.01
    rows = section["by_iteration"]
    assert [row["iteration"] for row in rows] == [1, 2]
    assert section["bits_per_bit"] == pytest.approx(np.mean([r["bits_per_bit"] for r in rows]))
    codec = load(entropy_run / "model.safetensors")
    raw, gains = 3 * 4 * 2 * 32 / 8, []
    for path in sorted((photographs / "eval").iterdir()):
        with Image.open(path) as image:
            gains.append(1 - len(codec.encode(image)) / raw)
    assert section["gain_over_raw_bits"] == pytest.approx(np.mean(gains))
    logged = table(entropy_run / "csv/version_0/metrics.csv")
    exact = [float(row["entropy_val/exact"]) for row in logged if row["entropy_val/exact"]]
    assert len(exact) == 2, "after steps 3 and 6"
    assert min(exact) == pytest.approx(section["bits_per_bit"], rel=1e-3)
    assert {"entropy_train/bits_per_bit", "entropy_train/learning_rate"} <= set(logged[0])
    assert {"entropy_val/float_t01", "entropy_val/exact_t02"} <= set(logged[0])


def test_killed_entropy_training_goes_on_as_if_nothing_had_happened(
    photographs: Path, entropy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = EntropyModule.training_step

    def dies(self: EntropyModule, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        if self.global_step == 5:
            raise MemoryError("killed")
        return train(self, batch, batch_idx)

    monkeypatch.setattr(EntropyModule, "training_step", dies)
    with pytest.raises(MemoryError):
        run(tmp_path, settings(photographs, *ENTROPY))
    monkeypatch.undo()
    checkpoint = torch.load(tmp_path / "checkpoints/entropy_last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 4
    assert not (tmp_path / "model.safetensors").exists()
    done = [tmp_path / f"checkpoints/{name}.safetensors" for name in ("codec", "codes")]
    before = [path.stat().st_mtime_ns for path in done]
    run(tmp_path, settings(photographs, *ENTROPY))
    assert [path.stat().st_mtime_ns for path in done] == before, "neither is made again"
    a, b = (load_file(folder / "model.safetensors") for folder in (entropy_run, tmp_path))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_entropy_model_for_the_codec_of_a_model_file(
    photographs: Path, entropy_run: Path, tmp_path: Path
) -> None:
    given = entropy_run / "model.safetensors"
    overrides = settings(photographs, *ENTROPY, f"codec={given}", "entropy=binary_rnn")
    run(tmp_path, [*overrides, "cell=lstm", "model.iterations=16"])
    made, original = load(tmp_path / "model.safetensors").model, load(given).model
    assert made.entropy.config == {"name": "binary_rnn", "iterations": 2, "hidden": 8}
    assert made.network.config == original.network.config, "the file's, whatever model= says"
    weights = original.network.state_dict()
    assert all(torch.equal(weights[k], v) for k, v in made.network.state_dict().items())
    assert not (tmp_path / "checkpoints/last.ckpt").exists(), "no codec was trained"


def as_rank(rank: int, port: int, folder: Path, overrides: list[str]) -> None:
    """A task of two that Slurm has started; says how it ended."""
    tasks = {"NTASKS": "2", "NTASKS_PER_NODE": "2", "NODEID": "0", "JOB_NAME": "train"}
    os.environ |= {f"SLURM_{name}": value for name, value in tasks.items()}
    os.environ |= {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    rank_zero_only.rank = rank
    said = folder.with_name(f"rank {rank}")
    try:
        run(folder, [*overrides, "trainer.devices=2", "+trainer.strategy=ddp"])
    except RNNCodecError as error:
        said.write_text(f"{type(error).__name__}: {error}")
    else:
        said.write_text("done")


def two_ranks(folder: Path, overrides: list[str]) -> list[str]:
    """How each of two ranks ended."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = [(rank, port, folder, overrides) for rank in (0, 1)]
    processes = [get_context("fork").Process(target=as_rank, args=own) for own in given]
    for process in processes:
        process.start()
    for process in processes:
        process.join(90)
        process.kill()
    return [folder.with_name(f"rank {rank}").read_text() for rank in (0, 1)]


@pytest.mark.filterwarnings("ignore:.* use of fork:DeprecationWarning")
def test_two_ranks_take_the_codec_of_a_model_file(
    photographs: Path, entropy_run: Path, tmp_path: Path
) -> None:
    given = f"codec={entropy_run / 'model.safetensors'}"
    said = two_ranks(tmp_path / "run", settings(photographs, *ENTROPY, given))
    assert said == ["done", "done"]
    assert load(tmp_path / "run/model.safetensors").model.entropy is not None


@pytest.mark.filterwarnings("ignore:.* use of fork:DeprecationWarning")
def test_where_rank_0_is_refused_the_others_end_with_it(photographs: Path, tmp_path: Path) -> None:
    with Job(RunFiles(tmp_path / "run")):
        overrides = settings(photographs, "cell=gru", "trainer.max_steps=1", "logger=csv")
        said = two_ranks(tmp_path / "run", overrides)
    assert "is running this already" in said[0]
    assert said[1] == f"RNNCodecError: rank 0 ended: {said[0].removeprefix('ConfigError: ')}"


def test_entropy_model_for_one_of_the_codecs_of_a_grid(
    photographs: Path, entropy_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = tmp_path / "grid/whatever/model.safetensors"
    codec.parent.mkdir(parents=True)
    shutil.copy(entropy_run / "checkpoints/codec.safetensors", codec)

    def ends(*_: object) -> None:
        raise MemoryError("killed")

    ends.__name__ = "fit_entropy"
    monkeypatch.setattr(experiment, "fit_entropy", ends)
    with pytest.raises(MemoryError):
        run(tmp_path / "run", settings(photographs, *ENTROPY, f"codec={codec.parent.parent}"))
    taken = load_file(tmp_path / "run/checkpoints/codec.safetensors")
    assert all(torch.equal(taken[name], t) for name, t in load_file(codec).items())


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("codec=/nonexistent", ModelError, "/nonexistent: no such model file"),
        ("entropy_fit.max_steps=-1", ConfigError, "entropy_fit.max_steps=-1 .* never end"),
        ("entropy_fit.data.crop=64", ConfigError, "crop=64: no training photograph"),
        ("entropy_fit.data.crop=40", ConfigError, "crop=40: expected a multiple of 16"),
        ("entropy_fit.exact_from=3", ConfigError, "exact_from=3: expected 0 to 1"),
        ("entropy.hidden=0", ConfigError, "hidden=0: expected at least 1"),
    ],
)
def test_bad_entropy_settings_are_one_clear_error(
    photographs: Path, tmp_path: Path, override: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(tmp_path, settings(photographs, *ENTROPY, override))
    assert not (tmp_path / "model.safetensors").exists()
    assert not RunFiles(tmp_path).last.exists(), "told before the codec is trained"


def test_codec_without_entropy_leaves_nothing_to_train(
    photographs: Path, entropy_run: Path, tmp_path: Path
) -> None:
    given = f"codec={entropy_run / 'model.safetensors'}"
    with pytest.raises(ConfigError, match="leaves nothing to train"):
        run(tmp_path, settings(photographs, given, "logger=csv"))


def test_run_directory_of_another_entropy_model_is_refused(
    photographs: Path, entropy_run: Path
) -> None:
    overrides = settings(photographs, "cell=gru", "entropy=none", "logger=csv")
    with pytest.raises(
        ConfigError, match=r"made with entropy=progressive.* asks for entropy=none"
    ):
        run(entropy_run, overrides)


def test_run_keeps_a_record_of_itself(photographs: Path, tmp_path: Path) -> None:
    overrides = settings(photographs, "trainer.max_steps=1", "logger=csv")
    with pytest.raises(DataError):
        run(tmp_path, [*overrides, "data.root=/nonexistent"])
    failed = run_status(tmp_path, "run")
    assert failed.state == "failed"
    assert "/nonexistent" in str(failed.reason)
    run(tmp_path, [*overrides, "cell=gru"])
    done = run_status(tmp_path, "run")
    assert (done.state, done.step, done.attempt) == ("done", 1, 2)
    files = RunFiles(tmp_path)
    files.summary.unlink()  # as if it had ended before its evaluation
    before = files.record.read_bytes()
    with pytest.raises(ConfigError, match=r"cell=GRU \(asked for: LSTM\)"):
        run(tmp_path, [*overrides, "cell=lstm"])
    assert files.record.read_bytes() == before
