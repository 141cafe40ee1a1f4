"""Processes of this machine, found by their environment."""

import signal
from collections.abc import Iterator
from pathlib import Path


def processes_with(*variables: str) -> Iterator[int]:
    """Ids of those that have all of some environment variables, as ``NAME=value``."""
    wanted = {variable.encode() for variable in variables}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            found = set((entry / "environ").read_bytes().split(b"\0"))
        except OSError:  # it ended meanwhile
            continue
        if wanted <= found:
            yield int(entry.name)


def process_of_rank(rank: int, job: str) -> int:
    """The Python process of a Slurm task."""
    for pid in processes_with(f"SLURM_PROCID={rank}", f"SLURM_JOB_ID={job}"):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"submitit" in command and b"srun" not in command:
            return pid
    raise AssertionError(f"no process of rank {rank} of job {job}")


def is_pending(pid: int, number: signal.Signals) -> bool:
    """Whether a signal waits for a stopped process."""
    mask = int(status(pid).get("ShdPnd", "0"), 16)
    return bool(mask >> (number - 1) & 1)


def parent(pid: int) -> int:
    """The process that started it, or looks after it now; 0 if it has ended."""
    return int(status(pid).get("PPid", "0"))


def status(pid: int) -> dict[str, str]:
    """What the kernel says of a process; nothing of one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
