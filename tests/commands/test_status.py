"""`rnncodec status` as a person and as a program sees it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rnncodec.cli import app
from rnncodec.runs.job import Job
from rnncodec.runs.run_directory import SWEEP, RunFiles


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """One run failed, one waits."""
    (tmp_path / SWEEP).write_text(json.dumps({"jobs": ["cell=gru", "cell=lstm"]}))
    with pytest.raises(ValueError, match="bad"):
        fails(tmp_path / "cell=gru")
    return tmp_path


def fails(folder: Path) -> None:
    with Job(RunFiles(folder)) as job:
        job.enter("fit_codec")
        raise ValueError("bad [luck]")


def test_table_reasons_and_counts(sweep: Path) -> None:
    shown = CliRunner().invoke(app, ["status", str(sweep)])
    assert shown.exit_code == 0, shown.output
    for text in ("cell=gru", "fit_codec", "ValueError: bad [luck]", "1 failed, 1 waiting"):
        assert text in shown.output


def test_the_table_says_once_what_all_names_say(tmp_path: Path) -> None:
    names = ["+sweeps=grid,cell=gru,seed=0", "+sweeps=grid,cell=lstm,seed=0"]
    (tmp_path / SWEEP).write_text(json.dumps({"jobs": names}))
    shown = CliRunner().invoke(app, ["status", str(tmp_path)])
    lines = shown.output.splitlines()
    assert lines[0] == "all: +sweeps=grid, seed=0"
    assert [line.split()[:2] for line in lines[2:4]] == [
        ["cell=gru", "waiting"],
        ["cell=lstm", "waiting"],
    ]


def test_json_has_one_object_per_run(sweep: Path) -> None:
    shown = CliRunner().invoke(app, ["status", "--json", str(sweep)])
    failed, waiting = (json.loads(line) for line in shown.output.splitlines())
    assert (failed["name"], failed["state"], failed["phase"]) == (
        "cell=gru",
        "failed",
        "fit_codec",
    )
    assert (waiting["state"], waiting["step"]) == ("waiting", None)
