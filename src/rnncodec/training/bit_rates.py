"""Rates of an entropy model in bits per bit, by iteration: in floats, and in integers."""

import math
from collections.abc import Iterable
from typing import Any, TypedDict

import torch
from torch import Tensor
from torch.nn import functional as F

from rnncodec.entropy import IntegerModel


class Rates(TypedDict):
    """Of a validation batch: bits per bit by iteration, (T,) each.

    ``positions``, how many the batch has, weighs batches of different sizes.
    """

    float: Tensor
    exact: Tensor
    positions: int


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
