"""Timings of works that take turns, and the peak memory of a process of its own.

With one thread (``OMP_NUM_THREADS=1``) processor time is taken, which other processes on the
machine disturb less than they do the wall clock; with several, wall-clock time, and so where
processes of several kinds are compared.
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch


def clock() -> float:
    """Seconds from some moment on."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def clock_name() -> str:
    """What :func:`clock` takes."""
    return "processor time" if torch.get_num_threads() == 1 else "wall clock"


def in_turns(
    works: Mapping[str, Callable[[], object]],
    repeats: int,
    now: Callable[[], float] = clock,
) -> dict[str, float]:
    """Median seconds of each work by a clock; each is done once untimed, then in turns."""
    for work in works.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            start = now()
            work()
            seconds[name].append(now() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def peak_memory_of_child(*arguments: str) -> float:
    """Peak resident memory of ``python arguments``, which ends by printing its own, in GiB."""
    done = subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])


def peak_memory() -> float:
    """Peak resident memory of this process in GiB, with Python and PyTorch in it."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where getrusage counts in what the parent held when it forked
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**20
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
