"""Sweeps on this machine: no finished work twice, no job in another's way, no memory lost."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from benchmarks.sweeps import after_each_job, growth
from tests_cluster.own_slurm import wait_until
from tests_cluster.sweeps import TINY, results, steps_run

from rnncodec.runs.sweep_status import run_statuses

STEPS, EVERY = 40, 5


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Gives a sweep's command in a group of its own, of which nothing outlives the test."""
    commands: list[subprocess.Popen[bytes]] = []

    def begin(folder: Path, *overrides: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "train.py", "-m", "launcher=local", *TINY, "logger=csv"]
        with (folder.parent / "log").open("ab") as log:
            commands.append(
                subprocess.Popen(
                    [*command, *overrides, f"hydra.sweep.dir={folder}"],
                    env=os.environ | {"OMP_NUM_THREADS": "1"},
                    start_new_session=True,
                    stdout=log,
                    stderr=log,
                )
            )
        return commands[-1]

    yield begin
    for command in commands:
        with suppress(ProcessLookupError):  # it has ended, and all of its group
            os.killpg(command.pid, signal.SIGKILL)
        command.wait()


def test_killed_and_repeated(start: Start, photographs: tuple[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    command = start(folder, *photographs, "cell=gru", "seed=0,1,2,3")

    def some_done_and_one_midway() -> bool:
        done = len(list(folder.glob("*/evaluation/summary.json")))
        return done >= 1 and len(list(folder.glob("*/checkpoints/last.ckpt"))) > done

    wait_until(some_done_and_one_midway, "one done, another midway")
    os.killpg(command.pid, signal.SIGKILL)
    command.wait()
    wait_until(
        lambda: all(run.state != "running" for run in run_statuses(folder)), "seen as dead", 60
    )
    states = {run.name: run.state for run in run_statuses(folder)}
    assert len(states) == 4, "those that have not begun are known, too"
    done = [folder / name for name, state in states.items() if state == "done"]
    before = {path: (path / "model.safetensors").stat().st_mtime_ns for path in done}
    again = start(folder, *photographs, "cell=gru", "seed=0,1,2,3")
    assert again.wait(900) == 0, (folder.parent / "log").read_text()[-2000:]
    assert {run.state for run in run_statuses(folder)} == {"done"}
    assert {path: (path / "model.safetensors").stat().st_mtime_ns for path in done} == before
    assert all(steps_run(path) == STEPS for path in done)
    total = sum(steps_run(path.parent) for path in folder.glob("*/job.json"))
    assert 4 * STEPS <= total < 4 * STEPS + 3 * EVERY, "at most what came after a checkpoint"
    killed = [path.parents[1] for path in folder.glob("*/csv/version_1")]
    seeds = sorted(json.loads((run / "settings.json").read_text())["seed"] for run in killed)
    undisturbed = start(
        tmp_path / "undisturbed", *photographs, "cell=gru", f"seed={','.join(map(str, seeds))}"
    )
    assert undisturbed.wait(900) == 0, (folder.parent / "log").read_text()[-2000:]
    expected, got = results(tmp_path / "undisturbed"), results(folder)
    assert expected.keys() == {run.name for run in killed}
    assert all(got[name].same_as(result) for name, result in expected.items())


def test_one_failing_job_does_not_stop_the_others(
    start: Start, photographs: tuple[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "sweep"
    command = start(folder, *photographs, "cell=gru", "trainer.max_steps=2", "data.crop=4096,32")
    assert command.wait(900) != 0
    states = sorted((run.state, bool(run.reason)) for run in run_statuses(folder))
    assert states == [("done", False), ("failed", True)]


def test_memory_does_not_grow_over_jobs_of_one_process(tmp_path: Path) -> None:
    """12 jobs are as few as there can be; were each to keep 6 MiB, it would fail (tried)."""
    seen = after_each_job(tmp_path / "sweep", jobs=12, steps=5)
    assert len(seen) == 12
    assert growth(seen) < 0.05, seen
