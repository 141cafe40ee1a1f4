"""A lock belongs to one process, or thread, and ends with it."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rnncodec.machine import locks

HOLD = """
import os, sys, time
from pathlib import Path
from rnncodec.machine import locks
with locks.exclusive(Path(sys.argv[1])):
    if os.fork() == 0:
        os.close(1)
        time.sleep(60)
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_it_ends_with_its_process_although_a_forked_child_lives(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path], start_new_session=True, **pipes)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        assert locks.is_locked(path)
        with pytest.raises(locks.Held):
            locks.take_lock(path, patience=0)
        with pytest.raises(locks.Held), locks.exclusive(path, patience=0):
            pass
        holder.kill()
        holder.wait()
        assert not locks.is_locked(path)
        with locks.exclusive(path, patience=0):
            pass
    finally:
        os.killpg(holder.pid, 9)
        holder.communicate()


def test_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "lock", [0], [0]
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        for _ in range(5):
            with locks.exclusive(path):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                threading.Event().wait(0.001)
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == ([0], [1])
    with locks.exclusive(path), pytest.raises(locks.Held), locks.exclusive(path, patience=0):
        pass


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "try_lock", lambda file, exclusive: False)
    assert locks.take_lock(tmp_path / "lock") is None
    with pytest.raises(OSError, match=os.strerror(errno.ENOLCK)), locks.exclusive(tmp_path / "l"):
        pass


def test_no_file_is_not_locked(tmp_path: Path) -> None:
    assert locks.is_locked(tmp_path / "lock") is False
