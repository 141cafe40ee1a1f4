"""Pools are as large as this job's share of the machine; forks compute; GPUs are shared out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnncodec.machine import processors
from rnncodec.machine.processors import VISIBLE, available, gpus, take_gpu


@pytest.fixture(autouse=True)
def _eight_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "allowed", lambda: 8)


def groups(folder: Path, member: str, **files: str) -> dict[str, Path]:
    """Control groups made of files, named with __ for /."""
    (folder / "membership").write_text(member)
    for name, text in files.items():
        path = folder / "mounted" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name.replace("_at_", ".")).write_text(text)
    return {"membership": folder / "membership", "mounted": folder / "mounted"}


@pytest.mark.parametrize(
    ("slurm", "workers"),
    [({}, 8), ({processors.ALLOCATED: "2"}, 2), ({processors.ALLOCATED: "32"}, 8)],
)
def test_the_affinity_mask_and_slurm(tmp_path: Path, slurm: dict[str, str], workers: int) -> None:
    assert available(slurm, membership=tmp_path / "none", mounted=tmp_path) == workers


@pytest.mark.parametrize(
    ("member", "files", "workers"),
    [
        ("0::/job\n", {"job__cpu_at_max": "300000 100000\n"}, 3),
        ("0::/job/step\n", {"job__cpu_at_max": "250000 100000\n"}, 2),
        ("0::/\n", {"cpu_at_max": "50000 100000\n"}, 1),
        ("0::/job\n", {"job__cpu_at_max": "max 100000\n"}, 8),
        (
            "4:memory:/job\n3:cpu,cpuacct:/not/here\n",
            {
                "cpu,cpuacct__cpu_at_cfs_quota_us": "400000\n",
                "cpu,cpuacct__cpu_at_cfs_period_us": "100000\n",
            },
            4,
        ),
        ("3:cpu:/\n", {"cpu__cpu_at_cfs_quota_us": "-1\n", "cpu__cpu_at_cfs_period_us": "1\n"}, 8),
    ],
)
def test_the_quota_of_a_container(
    tmp_path: Path, member: str, files: dict[str, str], workers: int
) -> None:
    assert available({}, **groups(tmp_path, member, **files)) == workers


def test_the_least_counts(tmp_path: Path) -> None:
    quota = groups(tmp_path, "0::/job\n", job__cpu_at_max="400000 100000\n")
    assert available({processors.ALLOCATED: "3"}, **quota) == 3
    assert available({processors.ALLOCATED: "6"}, **quota) == 4


def test_no_pool_counts_processors_by_itself() -> None:
    counting = ("cpu_count", "sched_getaffinity")
    found = [
        path.name
        for path in Path("src/rnncodec").rglob("*.py")
        if any(word in path.read_text() for word in counting)
    ]
    assert found == ["processors.py"]


def test_here_it_is_at_least_one_and_no_more_than_there_are() -> None:
    assert 1 <= available() <= 8 * (os.cpu_count() or 1)


GOLDEN = Path(__file__).parents[1] / "golden" / "model.safetensors"
PROGRAM = """
import os, signal, sys, threading
import numpy as np, torch
from rnncodec import load

torch.set_num_threads(2)
codec = load(sys.argv[1])
pixels = np.random.default_rng(0).integers(0, 256, (80, 96, 3), np.uint8)
data = codec.encode(pixels)
codes = codec.decode_codes(data)

inside, release = threading.Event(), threading.Event()
def pause(*_):
    if threading.current_thread() is not threading.main_thread():
        inside.set()
        release.wait()
codec.model.network.decoder.register_forward_pre_hook(pause)
busy = threading.Thread(target=codec.decode, args=(data,))
busy.start()
inside.wait()

child = os.fork()
if child == 0:
    signal.alarm(20)
    same = np.array_equal(codec.decode_codes(data), codes)
    files = [data, codec.encode(pixels), codec.encode(pixels, effort=1)]
    os._exit(0 if same and {codec.decode(file).size for file in files} == {(96, 80)} else 1)
release.set()
busy.join()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert torch.get_num_threads() == 2
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_codes_while_its_parent_does() -> None:
    command = [sys.executable, "-c", PROGRAM, str(GOLDEN)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr


WORKER = """
import os, sys
from pathlib import Path
from rnncodec.machine.processors import VISIBLE, take_gpu
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
