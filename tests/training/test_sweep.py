"""The jobs of a grid are known before they begin."""

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from rnncodec.run_directory import SWEEP
from rnncodec.training.sweep import SweepRecord

BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
GRID = [f"+sweeps=x,cell={cell},seed={seed}" for cell in ("gru", "lstm") for seed in (1, 2)]


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
