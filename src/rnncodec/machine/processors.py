"""How many processors this process may use: its share of the machine, not all of it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

ALLOCATED = "SLURM_CPUS_PER_TASK"
"""What a Slurm job asked for; without task affinity it is free to run on all processors."""

CONTROL_GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


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
