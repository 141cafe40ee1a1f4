import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rnncodec.errors import ConfigError
from rnncodec.machine import processors
from rnncodec.machine.pool import ProcessPool, is_stopping, is_worker


class Doubling:
    """Doubles numbers; the process that is given -1 dies, once or always."""

    def __init__(self, once: Path | None = None) -> None:
        self.once = once

    def __call__(self, task: int) -> int:
        if task == -1 and not (self.once and self.once.exists()):
            if self.once:
                self.once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * task


def crashed(task: int) -> int:
    return 99


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_results_in_order(workers: int):
    with ProcessPool(Doubling(), workers, chunk=4) as pool:
        assert list(pool.ordered(iter(range(50)))) == list(range(0, 100, 2))


class Counting:
    """Counts the tasks that this copy of it has done."""

    tasks = 0

    def __call__(self, task: int) -> int:
        self.tasks += 1
        return self.tasks


def test_a_process_keeps_its_work():
    """So a data set is opened once a process, not once a task."""
    with ProcessPool(Counting(), 1, chunk=4) as pool:
        assert list(pool.ordered(range(40))) == list(range(1, 41))


def test_few_tasks_are_taken_ahead():
    taken: list[int] = []

    def tasks():
        for number in range(1000):
            taken.append(number)
            yield number

    with ProcessPool(Doubling(), 1, chunk=4) as pool:
        next(pool.ordered(tasks()))
    assert len(taken) <= 16


def test_a_task_that_kills_its_process_is_the_only_one_lost(tmp_path: Path):
    with ProcessPool(Doubling(), 2, chunk=4, crashed=crashed) as pool:
        assert list(pool.ordered([1, 2, 3, -1, 5, *range(6, 40)])) == [
            *(2, 4, 6, 99, 10),
            *range(12, 80, 2),
        ]


def test_a_task_that_dies_once_is_done_again(tmp_path: Path):
    with ProcessPool(Doubling(tmp_path / "died"), 1, chunk=4, crashed=crashed) as pool:
        assert list(pool.ordered([1, -1, 3])) == [2, -2, 6]


def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path):
    program = (
        "import os, signal, sys\n"
        "from rnncodec.machine.pool import ProcessPool\n"
        "def who(task): return os.getpid()\n"
        "if __name__ == '__main__':\n"
        "    with ProcessPool(who, 1) as pool:\n"
        "        for pid in pool.ordered(range(9)):\n"
        "            print(pid, flush=True)\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    done = subprocess.run([sys.executable, script], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    worker = int(done.stdout)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{worker}").exists():
        assert time.monotonic() < deadline, "the worker lives on"
        time.sleep(0.05)


@pytest.mark.parametrize("workers", [0, 2])
def test_results_as_they_come(workers: int):
    with ProcessPool(Doubling(), workers) as pool:
        assert sorted(pool.completed(range(20))) == list(range(0, 40, 2))


@pytest.mark.parametrize("results", ["ordered", "completed"])
def test_a_killed_process_is_an_error_that_says_what_to_do(results: str):
    with (
        ProcessPool(Doubling(), 1) as pool,
        pytest.raises(ConfigError, match=r"workers=1: a worker process was killed.*--workers 1"),
    ):
        list(getattr(pool, results)([1, -1]))


def wait_for_the_end(started: Path) -> str:
    """Work that takes for ever, but asks whether the pool is closed."""
    started.touch()
    while not is_stopping():
        time.sleep(0.01)
    return str(is_worker())


def test_long_work_learns_that_the_pool_is_closed(tmp_path: Path):
    with ProcessPool(wait_for_the_end, 1) as pool:
        future = pool._submit([tmp_path / "started"])
        while not (tmp_path / "started").exists():
            time.sleep(0.01)
    assert future.result() == ["True"]
    assert not is_worker()
    assert not is_stopping()


def test_as_many_processes_as_may_be_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processors, "available", lambda: 3)
    assert ProcessPool(abs, None).workers == 3
    assert ProcessPool(abs, 1).workers == 1
    with pytest.raises(ConfigError, match="workers=-1: expected at least 0"):
        ProcessPool(abs, -1)
