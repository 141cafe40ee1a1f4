"""What the build before the last renames wrote is read, continued and decoded.

``tests/old`` holds a run that was interrupted, one that finished, and a picture that the finished
one's model coded, all with ``recon=boosted_one_shot``, as ``scheduled_one_shot`` was called.
"""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

import rnncodec
from rnncodec import experiment
from rnncodec.comparison.runs import find_runs
from rnncodec.errors import ConfigError
from rnncodec.models.model_description import read_description

OLD = Path("tests/old")
SETTINGS = [
    *("cell=gru", "recon=boosted_one_shot", "model=tiny", "model.iterations=2"),
    *("data=folder", "data.root=tests/old/photographs/train", "data.batch_size=2"),
    *("data.val_fraction=0.4", "data.crop=32", "data.val_size=32", "data.val_images=1"),
    *("eval=folder", "eval.root=tests/old/photographs/eval", "logger=csv"),
    *("optim.optimizer._target_=torch.optim.SGD", "trainer.precision=32-true"),
    *("trainer.accelerator=cpu", "trainer.max_time=null", "trainer.enable_progress_bar=false"),
    *("trainer.log_every_n_steps=1",),
]


def run(folder: Path, *overrides: str) -> float:
    experiment.register_resolvers()
    with initialize_config_dir(str(Path("conf").resolve()), version_base="1.3"):
        cfg = compose("config", overrides=[*SETTINGS, *overrides, f"run_dir={folder}"])
    return experiment.run(cfg)


def copied(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(OLD / "runs" / name, folder / name))


def test_an_interrupted_run_continues_where_it_was(tmp_path: Path) -> None:
    folder = copied("unfinished", tmp_path)
    more = ("name=unfinished", "trainer.val_check_interval=1000", "checkpoint_every=2")
    run(folder, *more, "trainer.max_steps=7")
    assert read_description(folder / "model.safetensors")["notes"]["step"] == 7
    tables = [path.read_text() for path in folder.glob("csv/*/metrics.csv")]
    steps = {row["step"] for table in tables for row in csv.DictReader(table.splitlines())}
    assert steps >= set("0123456"), "those before the interruption and those after it"


def test_a_finished_run_is_not_repeated_and_refuses_other_settings(tmp_path: Path) -> None:
    folder = copied("finished", tmp_path)
    own = ("seed=1", "trainer.max_steps=1", "trainer.val_check_interval=1")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    score = run(folder, *own)
    assert score == read_description(folder / "model.safetensors")["notes"]["score"]
    assert run(folder, *own, "recon=scheduled_one_shot") == score
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert after == before
    with pytest.raises(ConfigError, match="recon"):
        run(folder, *own, "recon=additive")


def test_a_comparison_reads_a_finished_run(tmp_path: Path) -> None:
    copied("finished", tmp_path)
    runs, unfinished = find_runs([tmp_path])
    assert len(runs) == 1
    assert not unfinished
    assert (runs[0].cell, runs[0].recon, runs[0].seed) == ("gru", "scheduled_one_shot", 1)


def test_its_model_decodes_a_file_of_its_own(tmp_path: Path) -> None:
    model = OLD / "runs/finished/model.safetensors"
    stated = json.loads((OLD / "runs/finished/evaluation/evaluation.json").read_text())
    (codec,) = stated["codecs"].values()
    assert read_description(model)["fingerprint"] == codec["fingerprint"]
    decoded = np.asarray(rnncodec.load(model).decode(OLD / "picture.rnc"), dtype=int)
    with Image.open(OLD / "picture.png") as picture:
        assert np.abs(decoded - np.asarray(picture, dtype=int)).max() <= 1
