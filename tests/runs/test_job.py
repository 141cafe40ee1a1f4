"""What a run writes about itself, alive and at its end."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.runs.clocks import Clock

from rnncodec.errors import ConfigError, StorageError
from rnncodec.machine import locks
from rnncodec.machine.storage import read_page, write_page
from rnncodec.runs import sweep_status
from rnncodec.runs.job import Job
from rnncodec.runs.run_directory import RunFiles
from rnncodec.runs.sweep_status import run_status

HOLD = """
import sys, time
from pathlib import Path
from rnncodec.runs.job import Job
from rnncodec.runs.run_directory import RunFiles
with Job(RunFiles(Path(sys.argv[1]))) as job:
    job.enter("fit_codec")
    print("ready", flush=True)
    time.sleep(60)
"""


HOLD_LOCK = """
import fcntl, sys
file = open(sys.argv[1], "ab")
fcntl.lockf(file, fcntl.LOCK_EX)
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_by_another(lock: Path) -> Iterator[None]:
    """Another process has the lock."""
    command = [sys.executable, "-c", HOLD_LOCK, lock]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield


def test_another_process_runs_it_is_refused_and_dies(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        progress = {"step": 30, "steps": 40, "used": 0.75, "from": 0.5}
        write_page(RunFiles(tmp_path).progress, progress | {"began": 1.0, "at": time.time() + 9})
        running = run_status(tmp_path, "run")
        assert (running.state, running.phase, running.step) == ("running", "fit_codec", 30)
        assert running.left is not None
        with pytest.raises(ConfigError, match=f"process {process.pid} on .* is running this"):
            Job(RunFiles(tmp_path)).__enter__()
    finally:
        process.kill()
        process.communicate()
    dead = run_status(tmp_path, "run")
    assert (dead.state, dead.step, dead.left) == ("failed", 30, None)
    assert "killed" in str(dead.reason)
    with Job(RunFiles(tmp_path)):
        assert read_page(tmp_path / "job.json")["attempt"] == 2


def test_a_lock_that_a_dead_machine_never_gives_back_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.0)
    clock = Clock(time.time())
    monkeypatch.setattr(sweep_status, "time", clock)
    (tmp_path / "job.lock").touch()
    day = 86400.0
    record = {"state": "running", "host": "node7", "pid": 5, "locked": True}
    write_page(tmp_path / "job.json", record | {"beat": clock.time() - day})
    with held_by_another(tmp_path / "job.lock"):
        status = run_status(tmp_path, "run")
        advice = r"no sign of life for 24.0 h; if node7 is down, remove .*/job.lock and repeat"
        assert status.state == "failed"
        assert re.match(advice, str(status.reason))
        with pytest.raises(ConfigError, match=f"process 5 on node7: {advice}"):
            Job(RunFiles(tmp_path)).__enter__()
        write_page(tmp_path / "job.json", record | {"beat": clock.time()})
        assert run_status(tmp_path, "run").state == "running"
        here = record | {"host": socket.gethostname(), "beat": time.time() - day}
        write_page(tmp_path / "job.json", here)
        assert run_status(tmp_path, "run").state == "running", "suspended, maybe; but not dead"


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (MemoryError("no more\nmemory"), "failed", "MemoryError: no more memory"),
        (SystemExit(1), "stopped", "SystemExit: 1"),
    ],
)
def test_failure_leaves_its_reason(
    tmp_path: Path, error: BaseException, state: str, reason: str
) -> None:
    with pytest.raises(type(error)), Job(RunFiles(tmp_path)):
        raise error
    record = read_page(tmp_path / "job.json")
    assert record is not None
    assert (record["state"], record["reason"]) == (state, reason)


def refused() -> None:
    raise ConfigError("other settings")


@pytest.mark.parametrize("error", [MemoryError("full"), SystemExit(1)])
def test_a_refused_attempt_leaves_the_state_of_a_run_that_has_trained(
    tmp_path: Path, error: BaseException
) -> None:
    files = RunFiles(tmp_path)
    files.last.parent.mkdir()
    files.last.touch()
    with pytest.raises(type(error)), Job(files):
        raise error
    before = files.record.read_bytes()
    with pytest.raises(ConfigError, match="other settings"):
        Job(files, refused).__enter__()
    assert files.record.read_bytes() == before
    assert not locks.is_locked(files.lock)
    with Job(files):
        assert read_page(files.record)["attempt"] == 2


def test_a_refused_attempt_is_recorded_where_nothing_was_trained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="other settings"):
        Job(RunFiles(tmp_path), refused).__enter__()
    found = run_status(tmp_path, "run")
    assert (found.state, found.reason) == ("failed", "ConfigError: other settings")


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"file/run: cannot be written \(Not a directory\)"):
        Job(RunFiles(tmp_path / "file" / "run")).__enter__()
    (tmp_path / "job.lock").mkdir()
    with pytest.raises(StorageError, match=r"cannot be written \(Is a directory\); free some"):
        Job(RunFiles(tmp_path)).__enter__()


def test_it_beats_while_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_status, "BEAT", 0.01)
    with Job(RunFiles(tmp_path)):
        first = read_page(tmp_path / "job.json")["beat"]
        deadline = time.monotonic() + 10
        while read_page(tmp_path / "job.json")["beat"] == first:
            assert time.monotonic() < deadline
            time.sleep(0.01)


TRY_TO_LOCK = """
import fcntl, sys
try:
    fcntl.lockf(open(sys.argv[1], "ab"), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit("held")
"""


def test_where_each_machine_has_its_own_locks_a_fresh_heartbeat_is_respected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locks of one process do not hinder each other, as those of two such machines."""
    monkeypatch.setattr(sweep_status, "BEAT", 0.01)
    with Job(RunFiles(tmp_path)) as other:
        other.fields["host"] = "node7"
        other.enter("fit_codec")
        with pytest.raises(ConfigError, match="on node7 is running this already"):
            Job(RunFiles(tmp_path)).__enter__()
    monkeypatch.setattr(sweep_status, "STALE", 0.05)
    record = {"state": "running", "host": "node7", "beat": time.time(), "attempt": 1}
    write_page(tmp_path / "job.json", record)
    with Job(RunFiles(tmp_path)) as job:
        assert job.fields["attempt"] == 2, "the other was dead"
        script = [sys.executable, "-c", TRY_TO_LOCK, tmp_path / "job.lock"]
        tried = subprocess.run(script, capture_output=True, text=True, check=False)
        assert tried.stderr == "held\n", "and its directory is locked now"


@pytest.mark.parametrize("ahead", [-7200.0, -100.0, 100.0])
@pytest.mark.parametrize("locked", [True, False])
def test_another_machines_clock_says_nothing_of_whether_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: float, locked: bool
) -> None:
    """Judged by its age on our clock, a live run 100 s behind was started a second time."""
    page = tmp_path / "job.json"
    record = {"state": "running", "host": "node7", "pid": 5, "locked": locked, "attempt": 1}
    began = 1e9 + ahead

    def beat(passed: float) -> None:
        write_page(page, record | {"beat": began + passed})

    beat(0.0)
    monkeypatch.setattr(sweep_status, "time", Clock(1e9, beat))
    with pytest.raises(ConfigError, match="process 5 on node7 is running this already"):
        Job(RunFiles(tmp_path)).__enter__()
    dead = Clock(1e9)
    monkeypatch.setattr(sweep_status, "time", dead)
    with Job(RunFiles(tmp_path)) as job:
        assert job.fields["attempt"] == 2
    assert dead.passed == sweep_status.STALE


def test_where_there_are_no_locks_a_fresh_heartbeat_is_respected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "take_lock", lambda path: None)
    monkeypatch.setattr(sweep_status, "BEAT", 0.01)
    with Job(RunFiles(tmp_path)), pytest.raises(ConfigError, match="is running this already"):
        Job(RunFiles(tmp_path)).__enter__()
    monkeypatch.setattr(sweep_status, "STALE", 0.05)
    write_page(tmp_path / "job.json", {"state": "running", "beat": time.time(), "attempt": 1})
    with Job(RunFiles(tmp_path)) as job:
        assert job.fields["attempt"] == 2, "the other was dead"


@pytest.mark.parametrize("ahead", [-7200.0, -100.0, 7200.0])
def test_a_held_lock_is_that_of_a_dead_machine_if_the_heartbeat_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    page = tmp_path / "job.json"
    record = {"state": "running", "host": "node7", "pid": 5, "locked": True}
    began = 1e9 + ahead

    def held(path: Path) -> None:
        raise locks.Held

    def beat(passed: float) -> None:
        write_page(page, record | {"beat": began + passed})

    beat(0.0)
    monkeypatch.setattr(locks, "take_lock", held)
    monkeypatch.setattr(sweep_status, "time", Clock(1e9, beat))
    with pytest.raises(ConfigError, match="process 5 on node7 is running this already"):
        Job(RunFiles(tmp_path)).__enter__()
    monkeypatch.setattr(sweep_status, "time", Clock(1e9))
    with pytest.raises(ConfigError, match="locked by process 5 on node7: no sign of life for"):
        Job(RunFiles(tmp_path)).__enter__()
