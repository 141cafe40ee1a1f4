"""The LightningModule of the entropy model, which learns to predict the frozen codec's bits.

Its rates are in bits per bit: in floats while it learns, in integers when it codes.
"""

import math
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any, TypedDict

import lightning as L
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from rnncodec.entropy import EntropyModel, IntegerModel, bits_per_bit
from rnncodec.errors import ConfigError, ModelError
from rnncodec.training.codec_module import OptimizerFactory, built
from rnncodec.training.distributed import mean_over_ranks, refuse_one_iteration
from rnncodec.training.schedule import budget_used


class Rates(TypedDict):
    """Of a validation batch: bits per bit by iteration, (T,) each.

    ``positions``, how many the batch has, weighs batches of different sizes.
    """

    float: Tensor
    exact: Tensor
    positions: int


class EntropyModule(L.LightningModule):
    """Trains an entropy model on the cross-entropy of the codes, in bits per bit.

    First as floats; from a share of the budget on with rounded weights and tables, exactly as it
    will code (quantisation-aware, gradients straight through).

    Args:
        model: the entropy model.
        optimizer: the optimiser, but for its parameters.
        exact_from: share of the budget, in [0, 1], after which training is quantisation-aware.
        codes: names the codes it learns; a checkpoint for others is refused.

    Raises:
        ConfigError: ``exact_from`` out of range.
    """

    def __init__(
        self, model: EntropyModel, optimizer: OptimizerFactory, *, exact_from: float, codes: str
    ) -> None:
        super().__init__()
        if not 0 <= exact_from <= 1:
            raise ConfigError(f"entropy_fit.exact_from={exact_from}: expected 0 to 1")
        self.model = model
        self.optimizer = optimizer
        self.exact_from = exact_from
        self.codes = codes

    def on_fit_start(self) -> None:
        """Refuse what would not learn."""
        if "memory" in self.model.layers:  # leads from one iteration to the next
            refuse_one_iteration(self.trainer, self.model.iterations)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """{"codes": uint8 (B, T, h, w, 32), "index": int64 (B,)} -> bits per bit, scalar."""
        codes = signs(batch["codes"])
        exact = budget_used(self.trainer) >= self.exact_from
        rate = bits_per_bit(self.logits(codes, exact=exact), codes)
        mean = mean_over_ranks(rate.detach())
        self.log("entropy_train/bits_per_bit", mean, prog_bar=True, batch_size=len(codes))
        return rate

    def logits(self, codes: Tensor, *, exact: bool) -> Tensor:
        """The model's answer in float32; autocast, which would spoil it, is only to learn from."""
        learning = self.training and not exact
        off = torch.autocast(self.device.type, enabled=False)
        with nullcontext() if learning else off:
            logits: Tensor = self.model(codes, exact=exact)
        return logits.float()

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> Rates:
        """{"codes": uint8 (B, T, h, w, 32)} -> rates as floats and as they will be coded."""
        codes = signs(batch["codes"])
        return {
            "float": by_iteration(self.logits(codes, exact=False), codes),
            "exact": by_iteration(self.logits(codes, exact=True), codes),
            "positions": codes[:, 0, 0].numel(),
        }

    def configure_optimizers(self) -> Optimizer:
        """The optimiser; its learning rate is set by the schedule callback before each step."""
        return built(self.optimizer, self.model, group="entropy_fit")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Name the architecture that the weights belong to, and what they learned."""
        checkpoint["entropy"] = self.model.config
        checkpoint["codes"] = self.codes

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse, with a ModelError, weights of another architecture or another codec's codes."""
        if checkpoint.get("entropy") != self.model.config:
            raise ModelError(
                f"the entropy checkpoint of this run directory is of {checkpoint.get('entropy')}, "
                f"the run is of {self.model.config}; choose another name= or delete it"
            )
        if checkpoint.get("codes") != self.codes:
            raise ModelError(
                "the entropy checkpoint of this run directory learned the codes of another codec "
                "or of other crops; delete it to start anew"
            )


def signs(codes: Tensor) -> Tensor:
    """Bits (B, T, h, w, 32) of 0 and 1 -> codes (B, T, 32, h, w) of -1 and +1."""
    return codes.permute(0, 1, 4, 2, 3).float() * 2 - 1


def by_iteration(logits: Tensor, codes: Tensor) -> Tensor:
    """Mean cross-entropy in bits per bit, (B, T, 32, h, w) of -1 and +1 -> (T,).

    Examples:
        >>> rates = by_iteration(torch.zeros(1, 2, 32, 3, 4), torch.ones(1, 2, 32, 3, 4))
        >>> rates.round(decimals=3)
        tensor([1., 1.])
    """
    return F.softplus(-codes * logits).mean(dim=(0, 2, 3, 4)) / math.log(2)


def mean_rates(rates: list[Rates]) -> dict[str, Tensor]:
    """Averages over all bits of all batches: "float" and "exact", float64 (T,) each."""
    total = sum(batch["positions"] for batch in rates)
    return {
        "float": torch.stack([b["float"].double() * b["positions"] for b in rates]).sum(0) / total,
        "exact": torch.stack([b["exact"].double() * b["positions"] for b in rates]).sum(0) / total,
    }


def integer_rates(model: IntegerModel, batches: Iterable[dict[str, Any]]) -> Tensor:
    """What coding will pay, from the integer probabilities themselves: float64 (T,).

    Args:
        model: the entropy model in integers.
        batches: ``{"codes": uint8 (B, T, h, w, 32)}``.
    """
    cost, count = torch.zeros(model.iterations, dtype=torch.float64), 0
    for batch in batches:
        codes = batch["codes"]
        chance = model.probabilities(codes).double() / 65536
        paid = torch.where(codes > 0, chance, 1 - chance)
        cost -= torch.log2(paid).sum(dim=(0, 2, 3, 4))
        count += codes[:, 0].numel()
    return cost / count


def rate_lost(floats: Tensor, integers: Tensor) -> float:
    """How much more the integers pay over all iterations, relative: 0.01 is 1 %."""
    return float(integers.mean() / floats.mean() - 1)
