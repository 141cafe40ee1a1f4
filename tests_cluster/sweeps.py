"""Sweeps of tiny jobs on the test's Slurm: start them, meet their processes, compare results."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tests_cluster.one_node import OneNode, wait_until

from rnncodec import model_file
from rnncodec.sweep_status import RunStatus, find_runs

TINY = (
    *("model=tiny", "model.iterations=2", "data=folder", "data.batch_size=4", "threads=1"),
    *("data.val_fraction=0.3", "data.val_size=32", "data.val_images=3", "eval=folder"),
    *("trainer.precision=32-true", "trainer.accelerator=cpu", "trainer.max_time=null"),
    *("trainer.enable_progress_bar=false", "trainer.log_every_n_steps=1", "checkpoint_every=5"),
    *("trainer.max_steps=40", "trainer.val_check_interval=10", "optim.ema=0.9"),
)
SLURM = (
    *("launcher=slurm", "hydra.launcher.gpus_per_node=null", "hydra.launcher.cpus_per_task=1"),
    "hydra.launcher.timeout_min=10",
)


@dataclass
class Sweep:
    """A sweep's command, which can be repeated."""

    slurm: OneNode
    folder: Path
    overrides: tuple[str, ...]
    commands: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        """Give the command."""
        where = f"hydra.sweep.dir={self.folder}"
        command = [sys.executable, "train.py", "-m", *SLURM, *TINY, *self.overrides, where, *more]
        environment = self.slurm.environment | {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.commands.append(process)
        return process

    @property
    def log(self) -> Path:
        """What the command says."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder.parent / f"{self.folder.name}.log"

    def finish(self) -> None:
        """Wait for the jobs, then end the command: it learns of no deaths without accounting."""
        self.slurm.wait_until_empty()
        self.commands[-1].terminate()
        self.commands[-1].wait(30)

    def run(self, *more: str) -> None:
        """Give the command and wait for its jobs."""
        command = self.start(*more)
        wait_until(lambda: bool(self.slurm.queued()) or command.poll() is not None, "jobs queued")
        self.finish()

    def runs(self) -> list[RunStatus]:
        """As `rnncodec status` sees them."""
        return find_runs(self.folder)

    def record(self) -> Path:
        """The record of the first job."""
        return next(self.folder.glob("*/job.json"))

    def freeze_midway(self) -> int:
        """Wait until a job has written a checkpoint, and stop its rank 0; the process id."""

        def begun() -> bool:
            self.slurm.release()
            written = any(self.folder.glob("*/checkpoints/last.ckpt"))
            return written and self.runs()[0].state == "running"

        wait_until(begun, "a checkpoint")
        pid = int(json.loads(self.record().read_text())["pid"])
        os.kill(pid, signal.SIGSTOP)
        assert not any(self.folder.glob("*/model.safetensors")), "too late"
        return pid


@dataclass(frozen=True)
class Result:
    """What a run ended with."""

    score: float
    step: int
    tensors: dict[str, torch.Tensor]
    curve: list[dict[str, float]]

    def same_as(self, other: "Result") -> bool:
        """Bit for bit."""
        alike = (self.score, self.step, self.curve) == (other.score, other.step, other.curve)
        return alike and self.furthest(other) == 0.0

    def furthest(self, other: "Result") -> float:
        """Largest difference between two weights."""
        assert self.tensors.keys() == other.tensors.keys()
        pairs = [(t.double(), other.tensors[name].double()) for name, t in self.tensors.items()]
        return max(float((a - b).abs().max()) for a, b in pairs)


def results(folder: Path) -> dict[str, Result]:
    """By run, of those that ended."""
    found = {}
    for path in sorted(folder.glob("*/model.safetensors")):
        description, tensors = model_file.read(path)
        summary = json.loads((path.parent / "evaluation/summary.json").read_text())
        notes = description["notes"]
        found[path.parent.name] = Result(notes["score"], notes["step"], tensors, summary["curve"])
    return found


def wandb_ids(run: Path) -> set[str]:
    """Ids of a run directory's W&B runs."""
    return {path.stem.removeprefix("run-") for path in run.glob("wandb/offline-run-*/run-*.wandb")}


def steps_run(run: Path) -> int:
    """Training steps of all attempts together."""
    tables = [path.read_text().splitlines() for path in run.glob("csv/version_*/metrics.csv")]
    column = "train/loss"
    return sum(
        1
        for rows in tables
        for row in rows[1:]
        if row.split(",")[rows[0].split(",").index(column)]
    )


def process_of_rank(rank: int, job: str) -> int:
    """The Python process of a Slurm task."""
    wanted = {f"SLURM_PROCID={rank}".encode(), f"SLURM_JOB_ID={job}".encode()}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            variables = set((entry / "environ").read_bytes().split(b"\0"))
            command = (entry / "cmdline").read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if wanted <= variables and b"submitit" in command and b"srun" not in command:
            return int(entry.name)
    raise AssertionError(f"no process of rank {rank} of job {job}")


def is_pending(pid: int, number: signal.Signals) -> bool:
    """Whether a signal waits for a stopped process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (mask,) = (int(line.split()[1], 16) for line in lines if line.startswith("ShdPnd"))
    return bool(mask >> (number - 1) & 1)
