"""Run directories: their names, stable and readable, and what lies where in them."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LONGEST = 100
MODEL = "model.safetensors"
SHARED = "outputs"
"""The folder of all runs, and of sweeps that have none of their own."""

SWEEP = "sweep.json"
"""A sweep's list of jobs, in its folder."""

NOT_NAMED = ("launcher=", "threads=")


def run_name(name: str | None, overrides: Sequence[str]) -> str:
    """The folder of a run: its ``name``, or what was asked for, in any order.

    Where it runs (``launcher``, ``threads``) is no part of what was asked for. The same command
    finds the same folder, which is how it resumes. Where characters had to be replaced or the
    name cut, a hash of the overrides keeps it unique. The jobs of a sweep have no ``name`` of
    their own, or they would share one folder: it is a part of what was asked for.

    Examples:
        >>> run_name(None, ["recon=additive", "cell=gru"])
        'cell=gru,recon=additive'
        >>> run_name("mine", ["name=mine"]), run_name(None, [])
        ('mine', 'default')
        >>> run_name(None, ["launcher=slurm", "cell=gru"])
        'cell=gru'
        >>> run_name(None, ["name=mine", "cell=gru"]), run_name(None, ["name=null", "cell=gru"])
        ('cell=gru,name=mine', 'cell=gru')
        >>> run_name(None, ["data.root=../photos"])
        'data.root=..-photos-4c08b94e'
    """
    wanted = sorted(
        override
        for override in overrides
        if not override.startswith(NOT_NAMED) and override != "name=null"
    )
    exact = name or ",".join(wanted) or "default"
    readable = re.sub(r"[^\w.,=+-]", "-", exact)[:LONGEST]
    if readable == exact:
        return exact
    return f"{readable}-{hashlib.sha256(exact.encode()).hexdigest()[:8]}"


def failure_note(folder: Path) -> Path:
    """Why a run of a sweep failed that could not keep a record in its own folder."""
    return folder.parent / f"{folder.name}.failed.json"


@dataclass(frozen=True)
class RunFiles:
    """Where a run keeps what."""

    folder: Path

    @property
    def last(self) -> Path:
        """The checkpoint to go on from."""
        return self.folder / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """The best weights so far, in training precision."""
        return self.folder / "checkpoints" / "best.safetensors"

    @property
    def codec(self) -> Path:
        """The trained codec that an entropy model is still to be trained for."""
        return self.folder / "checkpoints" / "codec.safetensors"

    @property
    def codes(self) -> Path:
        """The codec's codes, which the entropy model learns."""
        return self.folder / "checkpoints" / "codes.safetensors"

    @property
    def entropy_last(self) -> Path:
        """The entropy model's checkpoint to go on from."""
        return self.folder / "checkpoints" / "entropy_last.ckpt"

    @property
    def entropy_best(self) -> Path:
        """The codec with the best entropy model so far, in integers."""
        return self.folder / "checkpoints" / "entropy_best.safetensors"

    @property
    def settings(self) -> Path:
        """What the run was asked for, all of it."""
        return self.folder / "settings.json"

    @property
    def begun(self) -> bool:
        """Whether something has been trained."""
        made = (self.last, self.codec, self.entropy_last, self.codes, self.model)
        return any(path.exists() for path in made)

    @property
    def model(self) -> Path:
        """The exported model; its presence says that training is done."""
        return self.folder / MODEL

    @property
    def evaluation(self) -> Path:
        """Curve, scores and pictures."""
        return self.folder / "evaluation"

    @property
    def record(self) -> Path:
        """The run's state, last sign of life and reason of failure."""
        return self.folder / "job.json"

    @property
    def lock(self) -> Path:
        """Held by the process that runs it."""
        return self.folder / "job.lock"

    @property
    def progress(self) -> Path:
        """Steps done, and the share of the budget that they used up."""
        return self.folder / "progress.json"

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.model.exists() and self.summary.exists()

    @property
    def summary(self) -> Path:
        """The scores; their presence says that the evaluation is done."""
        return self.evaluation / "summary.json"
