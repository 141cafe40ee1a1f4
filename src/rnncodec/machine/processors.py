"""Which processors and GPUs this process may use: its share of the machine, not all of it."""

import itertools
import logging
import os
from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import IO

from rnncodec.machine import locks

ALLOCATED = "SLURM_CPUS_PER_TASK"
"""What a Slurm job asked for; without task affinity it is free to run on all processors."""

CONTROL_GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")

VISIBLE = "CUDA_VISIBLE_DEVICES"

_log = logging.getLogger(__name__)


def available(
    environment: Mapping[str, str] = os.environ,
    *,
    membership: Path = MEMBERSHIP,
    mounted: Path = CONTROL_GROUPS,
) -> int:
    """The least of the affinity mask, the control groups' quotas and Slurm's allocation.

    At least 1; a quota of two and a half processors is two.
    """
    shares: list[float] = [allowed()]
    shares += quotas(membership, mounted)
    allocated = environment.get(ALLOCATED, "")
    if allocated.isdecimal():
        shares.append(int(allocated))
    return max(1, int(min(shares)))


def allowed() -> int:
    """Processors that the operating system may run this process on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quotas(membership: Path, mounted: Path) -> Iterator[float]:
    """The quota, in processors, of each control group that this process is in.

    A container may see its own group as the root, or the host's path that is not there: every
    group on the way to the root is looked at.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "cpu", "cpu,cpuacct"):
            continue
        own = mounted / controllers
        inside = PurePosixPath(path.lstrip("/"))
        for group in (inside, *inside.parents):
            quota = quota_of(own / group)
            if quota is not None:
                yield quota


def quota_of(group: Path) -> float | None:
    """A control group's quota in processors; None where it has none."""
    try:
        if (group / "cpu.max").exists():  # version 2
            limit, period = (group / "cpu.max").read_text().split()
        else:
            limit = (group / "cpu.cfs_quota_us").read_text()
            period = (group / "cpu.cfs_period_us").read_text()
        share = int(limit) / int(period)
    except (OSError, ValueError):  # no such files, or "max"
        return None
    return share if share > 0 else None  # -1: no limit


@cache
def compute_after_fork() -> None:
    """Let every process that is forked from now on compute, with one thread.

    A fork copies the state of torch's thread pool but none of its threads, so that a child would
    wait for ever in its first parallel loop. Preloading servers fork, and ``multiprocessing`` on
    Linux before Python 3.14. A child that asks torch for more threads again hangs as before.
    """
    import torch

    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))


def take_gpu(folder: Path) -> None:
    """Let this process see one GPU only: as few others as possible in ``folder`` have the same.

    It keeps it for all its jobs, since CUDA looks at the environment only once. Where there are
    fewer than two GPUs, or the file system has no locks, nothing changes.
    """
    found = gpus()
    if len(found) > 1 and (slot := lowest_free_slot(folder)) is not None:
        os.environ[VISIBLE] = found[slot[0] % len(found)]


def gpus() -> list[str]:
    """The GPUs that this process may use, as the environment variable names them."""
    named = os.environ.get(VISIBLE)
    if named is None:
        import torch

        return [str(number) for number in range(torch.cuda.device_count())]  # CUDA is not started
    return [name for name in named.split(",") if name]


@cache
def lowest_free_slot(folder: Path) -> tuple[int, IO[bytes]] | None:
    """The lowest number that no living process has in a folder, and the file whose lock holds it.

    None where the file system has no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in itertools.count():
        try:
            file = locks.take_lock(folder / f"slot-{number}.lock", patience=0)
        except locks.Held:
            continue
        if file is None:
            _log.warning("%s: no file locks here, so jobs are not spread over GPUs", folder)
            return None
        return number, file
    raise AssertionError("counting never ends")
