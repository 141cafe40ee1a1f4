"""Bits per bit: by hand, in floats and in integers."""

import numpy as np
import pytest
import torch

from rnncodec.entropy import bits_per_bit, quantize
from rnncodec.entropy.progressive import Progressive
from rnncodec.training.bit_rates import by_iteration, integer_rates, mean_rates, rate_lost
from rnncodec.training.entropy_module import signs


def model() -> Progressive:
    made = Progressive(3, 8)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2)
    return made


def test_by_iteration_splits_the_mean() -> None:
    codes = torch.randint(0, 2, (2, 3, 32, 4, 5)) * 2.0 - 1
    logits = torch.randn(codes.shape)
    rates = by_iteration(logits, codes)
    assert rates.mean().item() == pytest.approx(bits_per_bit(logits, codes).item(), rel=1e-5)
    chance = 1 / (1 + np.exp(-(logits * codes).numpy()[:, 1]))
    assert rates[1].item() == pytest.approx(-np.log2(chance).mean(), rel=1e-5)


def test_mean_rates_weigh_by_positions() -> None:
    small = {"float": torch.tensor([1.0]), "exact": torch.tensor([2.0]), "positions": 1}
    large = {"float": torch.tensor([0.0]), "exact": torch.tensor([1.0]), "positions": 3}
    means = mean_rates([small, large])
    assert means["float"].tolist() == [0.25]
    assert means["exact"].tolist() == [1.25]


def test_integers_pay_what_exact_training_sees() -> None:
    floats = model()
    sizes = [(2, 3, 4, 5, 32), (1, 3, 2, 3, 32)]
    batches = [{"codes": torch.randint(0, 2, size, dtype=torch.uint8)} for size in sizes]
    paid = integer_rates(quantize(floats), batches)
    with torch.no_grad():
        seen = [
            {
                "float": by_iteration(floats(signs(b["codes"])), signs(b["codes"])),
                "exact": by_iteration(floats(signs(b["codes"]), exact=True), signs(b["codes"])),
                "positions": b["codes"][:, 0, ..., 0].numel(),
            }
            for b in batches
        ]
    torch.testing.assert_close(paid, mean_rates(seen)["exact"], rtol=1e-4, atol=0)
    assert 0.5 < paid.mean() < 4
    assert rate_lost(mean_rates(seen)["float"], paid) != 0


def test_rate_lost_is_relative() -> None:
    assert rate_lost(torch.tensor([0.5, 0.7]), torch.tensor([0.6, 0.72])) == pytest.approx(0.1)
