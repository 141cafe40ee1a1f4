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
    """Anonymous MiB of one process after each of its jobs."""
    seen = after_each_job(folder, jobs, steps)
    return {"jobs": jobs, "MiB": seen, "growth": round(growth(seen), 4)}


def after_each_job(folder: Path, jobs: int, steps: int) -> list[float]:
    """Anonymous MiB of the process that runs a sweep's jobs in turn, as each is done."""
    seen: list[float] = []
    process = start(folder, jobs, steps)
    while process.poll() is None:
        if len(finished(folder)) > len(seen):
            seen.append(resident(process.pid))
        time.sleep(0.02)
    assert process.returncode == 0, "a job failed"
    return seen


def growth(seen: list[float]) -> float:
    """Least of the last five jobs over the least of jobs 3-7, less one.

    The first two still load and warm things up. What a job frees a little later comes and goes;
    what is never freed raises the least, too.
    """
    assert len(seen) >= 12, "ten jobs to compare, after two"
    return min(seen[-5:]) / min(seen[2:7]) - 1


def slots(folder: Path, jobs: int, steps: int) -> dict[str, object]:
    """Seconds of equal jobs on 2 slots over what each slot's jobs took one after another.

    A job's own time, of its record, has neither the start of Python in it nor the comparison at
    the sweep's end: so the ratio is given from the first job's start to the last one's end, and
    for the whole command.
    """
    began = time.monotonic()
    assert start(folder, jobs, steps, "launcher=local").wait() == 0, "a job failed"
    whole = time.monotonic() - began
    records = [json.loads(path.read_text()) for path in finished(folder)]
    assert len(records) == jobs
    each = sum(record["seconds"] for record in records) / jobs
    span = max(record["beat"] for record in records) - min(record["started"] for record in records)
    ideal = jobs / 2 * each
    return {
        "jobs": jobs,
        "seconds of one job": round(each, 2),
        f"{jobs / 2:g} job times": round(ideal, 1),
        "seconds of all jobs": round(span, 1),
        "ratio": round(span / ideal, 3),
        "seconds of the command": round(whole, 1),
        "ratio of the command": round(whole / ideal, 3),
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
