import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rnncodec.prepare.team import Team


class Doubling:
    """Doubles numbers; the process that is given -1 dies, once or always."""

    def __init__(self, once: Path | None = None) -> None:
        self.once = once

    def __call__(self, tasks: list[int]) -> list[int]:
        for task in tasks:
            if task == -1 and not (self.once and self.once.exists()):
                if self.once:
                    self.once.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return [2 * task for task in tasks]

    def crashed(self, task: int) -> int:
        return 99


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_results_in_order(workers: int):
    with Team(Doubling(), workers) as team:
        assert list(team.results(iter(range(50)))) == list(range(0, 100, 2))


class Counting:
    """Counts the batches that this copy of it has done."""

    batches = 0

    def __call__(self, tasks: list[int]) -> list[int]:
        self.batches += 1
        return [self.batches for _ in tasks]

    def crashed(self, task: int) -> int:
        return 0


def test_a_process_keeps_its_work():
    """So a data set is opened once a process, not once a batch."""
    with Team(Counting(), 1) as team:
        assert max(team.results(range(40))) == 10


def test_few_tasks_are_taken_ahead():
    taken: list[int] = []

    def tasks():
        for number in range(1000):
            taken.append(number)
            yield number

    with Team(Doubling(), 1) as team:
        next(team.results(tasks()))
    assert len(taken) <= 16


def test_a_task_that_kills_its_process_is_the_only_one_lost(tmp_path: Path):
    with Team(Doubling(), 2) as team:
        assert list(team.results([1, 2, 3, -1, 5, *range(6, 40)])) == [
            *(2, 4, 6, 99, 10),
            *range(12, 80, 2),
        ]


def test_a_task_that_dies_once_is_done_again(tmp_path: Path):
    with Team(Doubling(tmp_path / "died"), 1) as team:
        assert list(team.results([1, -1, 3])) == [2, -2, 6]


def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path):
    program = (
        "import os, signal, sys\n"
        "from rnncodec.prepare.team import Team\n"
        "class Tell:\n"
        "    def __call__(self, tasks): return [os.getpid() for _ in tasks]\n"
        "    def crashed(self, task): return 0\n"
        "if __name__ == '__main__':\n"
        "    with Team(Tell(), 1) as team:\n"
        "        for pid in team.results(range(9)):\n"
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
