"""Run directories: where they are, and what is stored where in them (their names: run_names)."""

import os
from collections.abc import Iterator
from pathlib import Path

MODEL = "model.safetensors"
SHARED = "outputs"
"""The folder of all runs, and of sweeps that have none of their own."""

SWEEP = "sweep.json"
"""A sweep's list of jobs, in its folder."""

MARKS = (
    *(".hydra/config.yaml", "job.json", MODEL),
    *("evaluation/results.csv", "evaluation/summary.json"),
)
"""Any of these makes a folder a run."""


class RunFiles:
    """Where a run stores what.

    Attributes:
        folder: the run directory.
        last: the checkpoint to resume from.
        best: the best weights so far, in training precision.
        codec: the trained codec that an entropy model is still to be trained for.
        codes: the codec's codes, which the entropy model learns.
        entropy_last: the entropy model's checkpoint to resume from.
        entropy_best: the codec with the best entropy model so far, in integers.
        model: the exported model; its presence says that training is done.
        evaluation: the folder of curve, scores and pictures.
        summary: the scores; their presence says that the evaluation is done.
        settings: what the run was asked for, all of it.
        arithmetic: what ``trainer.precision=auto`` was taken for, and why; a run keeps it.
        record: the run's state, last sign of life and reason of failure.
        lock: held by the process that runs it.
        progress: steps done, and the share of the budget that they used up.
        failure: beside the directory, why a run of a sweep failed that could not write in it.
    """

    def __init__(self, folder: Path) -> None:
        checkpoints = folder / "checkpoints"
        self.folder = folder
        self.last = checkpoints / "last.ckpt"
        self.best = checkpoints / "best.safetensors"
        self.codec = checkpoints / "codec.safetensors"
        self.codes = checkpoints / "codes.safetensors"
        self.entropy_last = checkpoints / "entropy_last.ckpt"
        self.entropy_best = checkpoints / "entropy_best.safetensors"
        self.model = folder / MODEL
        self.evaluation = folder / "evaluation"
        self.summary = self.evaluation / "summary.json"
        self.settings = folder / "settings.json"
        self.arithmetic = folder / "arithmetic.json"
        self.record = folder / "job.json"
        self.lock = folder / "job.lock"
        self.progress = folder / "progress.json"
        self.failure = folder.parent / f"{folder.name}.failed.json"

    @property
    def trained(self) -> bool:
        """Whether something has been trained."""
        made = (self.last, self.codec, self.entropy_last, self.codes, self.model)
        return any(path.exists() for path in made)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.model.exists() and self.summary.exists()


def run_folders(folder: Path) -> Iterator[Path]:
    """The run directories at or below a folder, in order; nothing inside a run is one.

    Links and hidden folders are not followed.
    """
    for root, inner, _ in os.walk(folder):
        if any(Path(root, mark).is_file() for mark in MARKS):
            inner.clear()
            yield Path(root)
        inner[:] = sorted(name for name in inner if not name.startswith("."))
