"""Run directories: what lies where in them (their names: run_names)."""

from dataclasses import dataclass
from pathlib import Path

MODEL = "model.safetensors"
SHARED = "outputs"
"""The folder of all runs, and of sweeps that have none of their own."""

SWEEP = "sweep.json"
"""A sweep's list of jobs, in its folder."""


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
    def arithmetic(self) -> Path:
        """What ``trainer.precision=auto`` was taken for, and why; a run keeps it."""
        return self.folder / "arithmetic.json"

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
