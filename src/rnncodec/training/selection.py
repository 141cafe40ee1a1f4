"""Selects the best weights: of the codec by image quality, of the entropy model by its rate."""

import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Generic, TypeVar

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from rnncodec.entropy import quantize
from rnncodec.errors import DataError
from rnncodec.models import model_file
from rnncodec.training.codec_module import CodecModule, ValidationScores
from rnncodec.training.distributed import gather
from rnncodec.training.divergence import diverged, require_finite_weights
from rnncodec.training.entropy_module import EntropyModule, Rates, mean_rates

Scores = TypeVar("Scores")
"""What a validation step returns."""


class KeepBest(Callback, ABC, Generic[Scores]):
    """Scores each validation and writes the best weights.

    Args:
        path: the best weights so far, a model file; replaced when the score rises.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.best = -math.inf
        self.latest = -math.inf
        self.step = -1
        self.gathered: list[Scores] = []

    @abstractmethod
    def judge(self, pl_module: L.LightningModule, scores: list[Scores]) -> float:
        """Log the gathered scores and return one scalar (larger is better).

        NaN says that an output was not finite: the training has diverged.
        """

    @abstractmethod
    def model(self, pl_module: L.LightningModule) -> model_file.Model:
        """What to write of a module."""

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Forget the last validation."""
        self.gathered = []

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any
    ) -> None:
        """Remember a batch's scores."""
        self.gathered.append(outputs)

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Log the scores; write the weights if they are the best so far."""
        self.latest = self.judge(pl_module, gather(self.gathered))
        self.step = trainer.global_step
        if math.isnan(self.latest):
            require_finite_weights(pl_module.state_dict(), self.step)
            raise diverged(self.step, "what the network makes of a validation image is not finite")
        if self.latest > self.best and not trainer.sanity_checking:
            self.best = self.latest
            if trainer.is_global_zero:
                model_file.save(self.path, self.model(pl_module))

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to compare with."""
        return {"best": self.best, "latest": self.latest, "step": self.step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from :meth:`state_dict`."""
        self.best, self.latest = state_dict["best"], state_dict["latest"]
        self.step = state_dict["step"]


class Selection(KeepBest[ValidationScores]):
    """The score is the mean over t = 1..T of the validation MS-SSIM.

    Where any validation image is too small for MS-SSIM, of the PSNR. It exists for every run.
    """

    metric: str | None = None
    """Which of the two, once images were judged."""

    def judge(self, pl_module: L.LightningModule, scores: list[ValidationScores]) -> float:
        """Log each metric by iteration, and the score."""
        means = mean_scores(scores)
        log_by_iteration(pl_module, "val", means)
        self.metric, total = score(means)
        pl_module.log("val/score", total, prog_bar=True, rank_zero_only=True)
        return total

    def model(self, pl_module: L.LightningModule) -> model_file.Model:
        """The network."""
        assert isinstance(pl_module, CodecModule)
        notes = {"score": self.best, "score_metric": self.metric, "step": self.step}
        return model_file.Model(pl_module.network, notes=notes)


class EntropySelection(KeepBest[Rates]):
    """The score is minus the validation's bits per bit, computed as it will be coded.

    An iteration counts with one bit per bit at most: files store raw what a model would enlarge,
    and a model that has begun to overfit the late iterations may still improve on the early ones.

    Args:
        path: the best model so far, its entropy model in integers.
        codec: the model file's other half, and its notes.
    """

    def __init__(self, path: Path, codec: model_file.Model) -> None:
        super().__init__(path)
        self.codec = codec
        self.means: dict[str, Tensor] = {}

    def judge(self, pl_module: L.LightningModule, scores: list[Rates]) -> float:
        """Log bits per bit, in floats and exact, in total and by iteration."""
        if not scores:
            raise DataError("validation saw no codes; lower data.val_fraction or add photographs")
        self.means = mean_rates(scores)
        log_by_iteration(pl_module, "entropy_val", self.means, show="exact")
        if not self.means["float"].isfinite().all():  # the exact ones are bounded whatever comes
            return math.nan
        return -float(self.means["exact"].clamp(max=1.0).mean())

    def model(self, pl_module: L.LightningModule) -> model_file.Model:
        """The codec with the entropy model in integers."""
        assert isinstance(pl_module, EntropyModule)
        rates = {name: values.tolist() for name, values in self.means.items()}
        entropy = {"name": pl_module.model.name, "step": self.step, "bits_per_bit": rates}
        notes = {**self.codec.notes, "entropy": entropy}
        return model_file.Model(self.codec.network, quantize(pl_module.model), notes)


def log_by_iteration(
    pl_module: L.LightningModule, group: str, means: dict[str, Tensor], *, show: str = ""
) -> None:
    """Log each (T,) series: its mean, and every iteration; the progress bar has ``show``."""
    for name, values in means.items():
        shown = name == show
        pl_module.log(f"{group}/{name}", values.mean(), prog_bar=shown, rank_zero_only=True)
        for t, value in enumerate(values):
            pl_module.log(f"{group}/{name}_t{t + 1:02d}", value, rank_zero_only=True)


def mean_scores(scores: list[ValidationScores]) -> dict[str, Tensor]:
    """Averages over images, by iteration, (T,) each; of a metric only if every image has it."""
    if not scores:
        raise DataError("validation saw no image; lower data.val_fraction or add photographs")
    means = {}
    for name in scores[0]:
        values = [value for s in scores if isinstance(value := s.get(name), Tensor)]
        if len(values) == len(scores):
            means[name] = torch.stack(values).mean(dim=0)
    return means


def score(means: dict[str, Tensor]) -> tuple[str, float]:
    """The score of :class:`Selection`, from :func:`mean_scores`: its metric, its value."""
    metric = "ms_ssim" if "ms_ssim" in means else "psnr_rgb"
    return metric, float(means[metric].mean())
