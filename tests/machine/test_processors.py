"""A pool of processes is as large as this job's share of the machine."""

import os
from pathlib import Path

import pytest

from rnncodec.machine import processors
from rnncodec.machine.processors import available


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
