"""Processes of one sweep get GPUs of their own as far as there are enough."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnncodec.runs.device_slots import VISIBLE, gpus, take_gpu

WORKER = """
import os, sys
from pathlib import Path
from rnncodec.runs.device_slots import VISIBLE, take_gpu
for job in range(2):
    take_gpu(Path(sys.argv[1]))
    print(os.environ[VISIBLE], flush=True)
    sys.stdin.readline()
"""


def worker(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder)],
        env=os.environ | {VISIBLE: "4,5"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def told(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_each_has_its_own_until_it_ends(tmp_path: Path) -> None:
    first, second = workers = [worker(tmp_path) for _ in range(2)]
    taken = [told(process) for process in workers]
    assert sorted(taken) == ["4", "5"]
    first.communicate("\n\n")
    with worker(tmp_path) as third:
        assert told(third) == taken[0], "that of the one that ended"
        again, _ = third.communicate("\n\n")
    assert again.split() == [taken[0]], "the same for its next job"
    assert second.communicate("\n\n")[0].split() == [taken[1]]


@pytest.mark.parametrize(("visible", "found"), [("3", ["3"]), ("", [])])
def test_nothing_changes_without_a_choice(
    visible: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VISIBLE, visible)
    take_gpu(tmp_path)
    assert (os.environ[VISIBLE], gpus()) == (visible, found)
    assert not list(tmp_path.iterdir())


def test_all_of_the_machine_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert gpus() == ["0", "1", "2"]
