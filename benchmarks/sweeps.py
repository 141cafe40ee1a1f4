"""Sweeps of tiny jobs: memory over 20 jobs of one process, and 8 jobs on 2 slots."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TINY = (
    *("model=tiny", "model.iterations=2", "cell=gru", "data=demo", "data.batch_size=4"),
    *("data.val_images=1", "data.val_size=32", "trainer.accelerator=cpu", "threads=1"),
    *("trainer.precision=32-true", "trainer.max_time=null", "trainer.enable_progress_bar=false"),
)


def main() -> None:
    """Run what is asked for; prints one line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("memory", "slots"))
    parser.add_argument("--jobs", type=int)
    parser.add_argument(
        "--steps", type=int, help="of each job: 5, or 1500 (30 s or more) on slots"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.what == "memory":
            print(json.dumps(memory(Path(folder), asked.jobs or 20, asked.steps or 5)))
        else:
            print(json.dumps(slots(Path(folder), asked.jobs or 8, asked.steps or 1500)))


def memory(folder: Path, jobs: int, steps: int) -> dict[str, object]:
    """Anonymous MiB of the process after each of its jobs; mean of the last five over jobs 3-7."""
    seen: list[float] = []
    process = start(folder, jobs, steps)
    while process.poll() is None:
        if len(finished(folder)) > len(seen):
            seen.append(resident(process.pid))
        time.sleep(0.02)
    assert process.returncode == 0, "a job failed"
    growth = sum(seen[-5:]) / sum(seen[2:7]) - 1
    return {"jobs": jobs, "MiB": seen, "growth": round(growth, 4)}


def slots(folder: Path, jobs: int, steps: int) -> dict[str, object]:
    """Seconds of equal jobs on 2 slots, as a multiple of what the jobs of one slot took."""
    times = {}
    for count in (2, jobs):
        place = folder / f"{count}"
        began = time.monotonic()
        assert start(place, count, steps, "launcher=local").wait() == 0, "a job failed"
        times[count] = time.monotonic() - began
    spent = [json.loads(path.read_text())["seconds"] for path in finished(folder / f"{jobs}")]
    ideal = jobs / 2 * sum(spent) / jobs
    return {
        "jobs": jobs,
        "seconds": round(times[jobs], 1),
        "seconds of one job": round(sum(spent) / jobs, 2),
        "over ideal": round(times[jobs] / ideal, 3),
        "seconds of 2 jobs, with start": round(times[2], 1),
    }


def start(folder: Path, jobs: int, steps: int, *more: str) -> subprocess.Popen[bytes]:
    """A sweep over seeds."""
    own = (f"seed=range({jobs})", f"trainer.max_steps={steps}", f"hydra.sweep.dir={folder}")
    command = [sys.executable, "train.py", "-m", *TINY, *more, *own]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def finished(folder: Path) -> list[Path]:
    """Records of runs that are done."""
    return [path for path in folder.glob("*/job.json") if b'"done"' in path.read_bytes()]


def resident(pid: int) -> float:
    """MiB that a process has for itself, not of files."""
    rows = [row.split() for row in Path(f"/proc/{pid}/status").read_text().splitlines()]
    kept = [int(row[1]) for row in rows if row and row[0] in ("RssAnon:", "VmSwap:")]
    return round(sum(kept) / 1024, 1)


if __name__ == "__main__":
    main()
