"""The jobs of a grid are known before they begin."""

import atexit
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, read_write

from rnncodec.errors import ConfigError, StorageError
from rnncodec.runs.job import Job
from rnncodec.runs.run_directory import SWEEP, RunFiles
from rnncodec.runs.sweep_status import run_status
from rnncodec.training import sweep
from rnncodec.training.sweep import SweepRecord

BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
GRID = [f"cell={cell},seed={seed},sweeps=x" for cell in ("gru", "lstm") for seed in (1, 2)]


@pytest.mark.parametrize("name", [None, "mine"])
@pytest.mark.parametrize(("sweeper", "jobs"), [(BASIC, GRID), ("other.Sweeper", [])])
def test_grid_is_written_down_as_run_directories(
    tmp_path: Path, sweeper: str, jobs: list[str], name: str | None
) -> None:
    asked = ["+sweeps=x", "launcher=local", "seed=1,2"]
    hydra = {
        "sweeper": {"_target_": sweeper, "params": {"cell": "gru,lstm"}},
        "overrides": {"task": asked},
        "sweep": {"dir": str(tmp_path)},
    }
    SweepRecord().on_multirun_start(OmegaConf.create({"name": name, "hydra": hydra}))
    written = json.loads((tmp_path / SWEEP).read_text())
    assert written == {"command": asked, "jobs": jobs}


def told_of_a_sweep(folder: Path, *asked: str) -> DictConfig:
    """What Hydra tells its callbacks as a sweep begins."""
    hydra = {
        "sweeper": {"_target_": BASIC, "params": None},
        "overrides": {"task": list(asked)},
        "sweep": {"dir": str(folder)},
    }
    return OmegaConf.create({"name": None, "hydra": hydra})


def test_all_options_of_a_group_are_a_grid(tmp_path: Path) -> None:
    with initialize_config_dir(str(Path("conf").resolve()), version_base="1.3"):
        SweepRecord().on_multirun_start(told_of_a_sweep(tmp_path, "cell=glob(gru*)"))
    assert json.loads((tmp_path / SWEEP).read_text())["jobs"] == ["cell=gru", "cell=gru_resnet"]


def test_a_sweep_that_could_not_be_written_down_is_compared_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[object] = []
    monkeypatch.setattr(atexit, "register", lambda *given: compared.append(given))
    (tmp_path / SWEEP).mkdir()
    with pytest.raises(StorageError, match=SWEEP):  # Hydra warns of it, and goes on
        SweepRecord().on_multirun_start(told_of_a_sweep(tmp_path, "cell=gru,lstm"))
    assert compared == [(sweep.compare, tmp_path)]


def test_a_sweep_without_a_folder_of_its_own_leaves_that_of_all_runs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    compared: list[object] = []
    monkeypatch.setattr(atexit, "register", lambda *given: compared.append(given))
    for folder in ("outputs", "outputs/mine"):
        SweepRecord().on_multirun_start(told_of_a_sweep(Path(folder), "cell=gru,lstm"))
    assert compared == [(sweep.compare, Path("outputs/mine"))]
    assert [str(path) for path in Path().rglob(SWEEP)] == [f"outputs/mine/{SWEEP}"]


def multirun(folder: Path) -> DictConfig:
    """What Hydra tells its callbacks of a sweep's job."""
    config = OmegaConf.create({"hydra": {"runtime": {"output_dir": str(folder)}, "mode": None}})
    with read_write(config):
        config.hydra.mode = RunMode.MULTIRUN
    return config


def failed_with(cause: Exception) -> JobReturn:
    try:
        raise CompactHydraException(f"error: {cause}") from cause
    except CompactHydraException as error:
        return JobReturn(status=JobStatus.FAILED, _return_value=error)


def test_a_refused_job_of_a_run_that_waits_to_go_on_still_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = RunFiles(tmp_path / "run")
    with pytest.raises(SystemExit), Job(files):
        raise SystemExit(1)
    files.last.parent.mkdir()
    files.last.touch()
    SweepRecord().on_job_end(multirun(files.folder), failed_with(ConfigError("other settings")))
    assert run_status(files.folder, "run").state == "waiting"
    assert "run: ConfigError: other settings" in caplog.text
    SweepRecord().on_job_end(multirun(files.folder), failed_with(StorageError("read-only")))
    assert run_status(files.folder, "run").reason == "StorageError: read-only"


def test_a_failure_without_a_record_is_noted_until_the_next_attempt(tmp_path: Path) -> None:
    folder = tmp_path / "cell=gru"
    config, ended = multirun(folder), failed_with(StorageError("full"))
    SweepRecord().on_job_end(config, ended)
    found = run_status(folder, "run")
    assert (found.state, found.reason) == ("failed", "StorageError: full")
    SweepRecord().on_job_start(config)
    assert run_status(folder, "run").state == "waiting"
    with pytest.raises(MemoryError), Job(RunFiles(folder)):
        raise MemoryError("own record")
    SweepRecord().on_job_end(config, ended)
    assert run_status(folder, "run").reason == "MemoryError: own record"


TRIAL = """
import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from rnncodec.runs import preflight

preflight.register_sweeps()
OmegaConf.register_new_resolver("run_name", lambda name, task, *_: hash(tuple(task)))
OmegaConf.register_new_resolver("sweep_name", lambda: "tune")


@hydra.main(version_base="1.3", config_path=FOLDER, config_name="config")
def main(cfg):
    number = HydraConfig.get().job.num
    if number == 0:
        raise ValueError("diverged")
    return number


main()
"""


def test_a_failed_trial_does_not_end_the_study(tmp_path: Path) -> None:
    script = tmp_path / "trial.py"
    script.write_text(TRIAL.replace("FOLDER", repr(str(Path("conf").resolve()))))
    command = [sys.executable, str(script), "-m", "+sweeps=tune", "hydra.sweeper.n_trials=3"]
    where = [f"hydra.sweep.dir={tmp_path}", "~hydra.callbacks.sweep"]
    said = subprocess.run([*command, *where], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "diverged" in said.stdout + said.stderr
    best = OmegaConf.load(tmp_path / "optimization_results.yaml")
    assert best.best_value == 2.0, "of the third of three trials"


@pytest.mark.parametrize("begin", [SweepRecord.on_run_start, SweepRecord.on_multirun_start])
def test_a_name_that_is_none_ends_the_process_in_a_sentence(
    tmp_path: Path, begin: Callable[..., None]
) -> None:
    config = told_of_a_sweep(tmp_path / "sweep", "name=..")
    config.name = ".."
    with pytest.raises(SystemExit, match=r"^error: name=\.\.: expected the name of a folder"):
        begin(SweepRecord(), config)
    assert not list(tmp_path.iterdir())


def test_a_run_with_a_name_begins() -> None:
    config = OmegaConf.create({"name": 7, "hydra": {"overrides": {"task": ["name=7"]}}})
    before = config.copy()
    SweepRecord().on_run_start(config)  # refuses nothing ...
    assert config == before, "... and changes nothing"
