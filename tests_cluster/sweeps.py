"""Sweeps of tiny jobs on the test's Slurm: start them, meet their processes, compare results."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from tests_cluster.own_slurm import OwnSlurm, wait_until

from rnncodec.models import model_file
from rnncodec.runs.sweep_status import RunStatus, run_statuses

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

    slurm: OwnSlurm
    folder: Path
    overrides: tuple[str, ...]

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        """Give the command."""
        where = f"hydra.sweep.dir={self.folder}"
        command = [sys.executable, "train.py", "-m", *SLURM, *TINY, *self.overrides, where, *more]
        environment = self.slurm.environment | {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.slurm.commands.append(process)
        return process

    @property
    def log(self) -> Path:
        """What the command says."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder.parent / f"{self.folder.name}.log"

    def run(self, *more: str) -> None:
        """Give the command, wait for its jobs, and end it: without accounting, it learns of no
        deaths.
        """
        command = self.start(*more)
        wait_until(lambda: bool(self.slurm.queued()) or command.poll() is not None, "jobs queued")
        self.slurm.wait_until_empty()
        self.slurm.end_commands()

    def runs(self) -> list[RunStatus]:
        """As `rnncodec status` sees them."""
        return run_statuses(self.folder)

    def said(self) -> str:
        """What the job's attempts wrote to Slurm's files."""
        return "".join(path.read_text() for path in self.folder.glob(".submitit/*/*_log.*"))

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
    curves: dict[str, list[list[float]]]
    factors: dict[str, str]

    def same_as(self, other: "Result") -> bool:
        """Bit for bit."""
        alike = (self.score, self.step, self.curves) == (other.score, other.step, other.curves)
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
        factors = {name: description["network"][name]["name"] for name in ("cell", "recon")}
        ended = Result(
            notes["score"], notes["step"], tensors, summary["codecs"][0]["curves"], factors
        )
        found[path.parent.name] = ended
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
