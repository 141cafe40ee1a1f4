"""What is said of runs that are done, running, dead, failed, stopped and not begun."""

import errno
import json
import socket
from pathlib import Path

import pytest
from tests.runs.clocks import Clock

from rnncodec.errors import ConfigError
from rnncodec.machine import locks
from rnncodec.machine.storage import read_page, write_page
from rnncodec.runs import sweep_status
from rnncodec.runs.job import Job
from rnncodec.runs.run_directory import SWEEP, RunFiles
from rnncodec.runs.sweep_status import (
    RunStatus,
    run_status,
    run_statuses,
    sweep_left,
    training_so_far,
)


def finish(folder: Path) -> None:
    files = RunFiles(folder)
    for path in (files.model, files.summary):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")


def test_failure_leaves_its_reason_and_a_signal_is_none(tmp_path: Path) -> None:
    for name, error in (("a", MemoryError("no more\nmemory")), ("b", SystemExit(1))):
        with pytest.raises(type(error)), Job(RunFiles(tmp_path / name)):
            raise error
    failed, stopped = run_statuses(tmp_path)
    assert (failed.state, failed.reason) == ("failed", "MemoryError: no more memory")
    assert stopped.state == "waiting", "to be gone on with"


def test_a_sweep_lists_what_has_not_begun_and_what_older_versions_finished(tmp_path: Path) -> None:
    (tmp_path / SWEEP).write_text(json.dumps({"jobs": ["a", "b", "c"]}))
    finish(tmp_path / "a")
    with Job(RunFiles(tmp_path / "b")):
        finish(tmp_path / "b")
    assert [(run.name, run.state) for run in run_statuses(tmp_path)] == [
        ("a", "done"), ("b", "done"), ("c", "waiting"),
    ]  # fmt: skip
    (one,) = run_statuses(tmp_path / "b")
    assert (one.name, one.state, one.attempt) == ("b", "done", 1)


def test_finished_before_the_record_could_say_so_is_done(tmp_path: Path) -> None:
    finish(tmp_path)
    write_page(tmp_path / "job.json", {"state": "running", "host": "elsewhere", "beat": 0.0})
    assert run_status(tmp_path, "run").state == "done"


def other_machine(folder: Path, *, ahead: float, alive: bool, **fields: object) -> Clock:
    """A run on another machine, whose clock is some seconds ahead of ours; it beats, or not."""
    began = 1e9 + ahead
    record = {"state": "running", "host": "node7", "locked": True, "beat": began, **fields}
    write_page(folder / "job.json", record)

    def beat(passed: float) -> None:
        if alive:
            last = began + passed - passed % sweep_status.BEAT
            write_page(folder / "job.json", record | {"beat": last})

    return Clock(1e9, beat)


AHEAD = (-7200.0, -100.0, 0.0, 100.0)


@pytest.mark.parametrize("ahead", AHEAD)
@pytest.mark.parametrize(("alive", "state"), [(True, "running"), (False, "failed")])
def test_where_locks_do_not_reach_the_heartbeat_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: float, alive: bool, state: str
) -> None:
    clock = other_machine(tmp_path, ahead=ahead, alive=alive)
    monkeypatch.setattr(sweep_status, "time", clock)
    assert run_status(tmp_path, "run").state == state
    assert clock.passed <= (1.5 * sweep_status.BEAT if alive else sweep_status.STALE)


@pytest.mark.parametrize("ahead", AHEAD)
@pytest.mark.parametrize(("alive", "state"), [(True, "running"), (False, "failed")])
def test_where_a_lock_may_not_be_looked_at_the_heartbeat_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: float, alive: bool, state: str
) -> None:
    def refuse(*_: object, **__: object) -> None:  # root may look at every file
        raise PermissionError(errno.EACCES, "Permission denied")

    here = socket.gethostname()
    clock = other_machine(tmp_path, ahead=ahead, alive=alive, host=here)
    monkeypatch.setattr(sweep_status, "time", clock)
    monkeypatch.setattr(locks, "try_lock", refuse)
    (tmp_path / "job.lock").touch()
    assert run_status(tmp_path, "run").state == state


def test_all_runs_are_watched_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        clock = other_machine(tmp_path / name, ahead=0.0, alive=False)
    monkeypatch.setattr(sweep_status, "time", clock)
    assert [run.state for run in run_statuses(tmp_path)] == ["failed"] * 3
    assert clock.passed == sweep_status.STALE


def test_nobody_waits_where_the_lock_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = other_machine(tmp_path, ahead=0.0, alive=False)
    monkeypatch.setattr(sweep_status, "time", clock)
    monkeypatch.setattr(sweep_status, "is_locked", lambda path: True)
    assert run_status(tmp_path, "run").state == "running"
    assert clock.passed == 0.0


def test_progress_of_an_earlier_attempt_tells_no_time_left(tmp_path: Path) -> None:
    """Its clock may have been ahead, on another machine."""
    files = RunFiles(tmp_path)
    fields = {"step": 3, "steps": 4, "used": 0.75, "from": 0.5, "began": 1.0, "at": 9e9}
    write_page(files.progress, fields)
    with Job(files) as job:
        job.enter("fit_codec")
        record = read_page(files.record) or {}
        assert training_so_far(files, record) == {"step": 3, "steps": 4, "left": None}
        write_page(files.progress, fields | {"at": 5.0})
        assert training_so_far(files, record)["left"] == 4.0


def test_time_left_is_unknown_until_a_run_is_done() -> None:
    waiting, running = RunStatus("a", "waiting"), RunStatus("b", "running", left=10.0)
    assert sweep_left([waiting, running]) is None
    assert sweep_left([running]) == 10.0
    assert sweep_left([RunStatus("c", "failed"), RunStatus("d", "done", seconds=30.0)]) == 30.0


def test_a_sweep_takes_as_long_as_its_longest_run() -> None:
    """Those that wait share the places; a run that is at work cannot be divided among them."""
    lefts = (600.0, 60.0, 0.0)
    running = [RunStatus(f"r{left}", "running", left=left) for left in lefts]
    assert sweep_left(running) == 600.0
    done, waiting = RunStatus("d", "done", seconds=100.0), RunStatus("w", "waiting")
    assert sweep_left([*running, done, waiting, waiting]) == 600.0
    assert sweep_left([*running[1:], done, waiting, waiting]) == 60.0 + 100.0
    assert sweep_left([done, waiting, waiting]) == 200.0, "one at a time, where none is running"


def test_a_run_in_its_evaluation_leaves_the_time_of_the_others_known() -> None:
    evaluating = RunStatus("a", "running", phase="evaluate_codec", seconds=70.0)
    trains = RunStatus("b", "running", left=30.0)
    assert sweep_left([evaluating, trains]) is None, "how long an evaluation takes is not known"
    done = [RunStatus("c", "done", seconds=90.0), RunStatus("d", "done", seconds=110.0)]
    waiting = RunStatus("e", "waiting")
    assert sweep_left([evaluating, trains, *done, waiting]) == 30 + 100, (
        "on the first of two places"
    )
    late = RunStatus("a", "running", phase="evaluate_codec", seconds=170.0)
    assert sweep_left([late, *done]) == 0.0


def test_a_failure_that_left_no_record_is_known(tmp_path: Path) -> None:
    (tmp_path / SWEEP).write_text(json.dumps({"jobs": ["a", "b"]}))
    write_page(tmp_path / "a.failed.json", {"reason": "StorageError: a: cannot be written"})
    found = [(run.state, run.reason) for run in run_statuses(tmp_path)]
    assert found == [("failed", "StorageError: a: cannot be written"), ("waiting", None)]


def test_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run in or below it"):
        run_statuses(tmp_path)


def test_damaged_record_of_a_sweep_is_named(tmp_path: Path) -> None:
    (tmp_path / SWEEP).write_text("{")
    with pytest.raises(ConfigError, match=r"sweep\.json: .* damaged"):
        run_statuses(tmp_path)
