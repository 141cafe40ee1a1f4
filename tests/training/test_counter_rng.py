"""The noise is uniform, independent, and a function of its arguments only."""

import numpy as np
import torch
from scipy import stats

from rnncodec.training.counter_rng import mix, uniform


def test_splitmix64_reference_values() -> None:
    # First outputs of the published splitmix64 generator for seed 1234567.
    state, outputs = 1234567, []
    for _ in range(3):
        outputs.append(int(mix(torch.tensor([state]))[0]) % 2**64)
        state += 0x9E3779B97F4A7C15
        state = (state + 2**63) % 2**64 - 2**63
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_uniform_and_uncorrelated() -> None:
    values = uniform(3, torch.arange(64), (16, 32)).numpy().astype(np.float64)
    assert values.min() >= 0
    assert values.max() < 1
    assert stats.kstest(values.ravel(), "uniform").pvalue > 1e-3
    centred = values.reshape(64, -1) - 0.5
    neighbours = [
        (centred[1:] * centred[:-1]).mean(),
        (centred[:, 1:] * centred[:, :-1]).mean(),
        (centred * (uniform(4, torch.arange(64), (512,)).numpy() - 0.5)).mean(),
    ]
    assert np.abs(neighbours).max() < 5 / 12 / np.sqrt(centred.size)


def test_batch_split_and_order_do_not_matter() -> None:
    whole = uniform(1, torch.arange(100, 108), (5,))
    halves = [uniform(1, torch.arange(start, start + 4), (5,)) for start in (104, 100)]
    assert torch.equal(whole, torch.cat(halves[::-1]))
    assert whole.unique().numel() == whole.numel()
