import itertools

import numpy as np
import pytest
import torch

from rnncodec.coding.adaptive import StopRule, ends
from rnncodec.errors import ConfigError


def by_hand(errors: list[float], threshold: float) -> int:
    """After which iteration no number of further ones brings more than the threshold each."""
    for t, now in enumerate(errors):
        later = [(now - e) / k for k, e in enumerate(errors[t + 1 :], start=1)]
        if all(slope <= threshold for slope in later):
            return t + 1
    raise AssertionError("after the last one there are none")


def test_positions_end_where_nothing_is_worth_its_bits() -> None:
    errors = np.random.default_rng(0).uniform(0, 1, (2, 6, 3, 5)).astype(np.float32)
    errors = np.sort(errors, axis=1)[:, ::-1] + errors / 10
    for threshold in (0.01, 0.1, 0.3, 2.0):
        found = ends(errors, threshold)
        expected = [
            [[by_hand(list(e), threshold) for e in row] for row in image]
            for image in errors.transpose(0, 2, 3, 1)
        ]
        assert found.tolist() == expected


def test_a_larger_threshold_ends_no_position_later() -> None:
    errors = np.random.default_rng(1).uniform(0, 1, (1, 8, 4, 4)).astype(np.float32)
    counts = [ends(errors, threshold) for threshold in (0.001, 0.01, 0.1, 1.0)]
    assert all((a >= b).all() for a, b in itertools.pairwise(counts))
    assert (counts[-1] == 1).all()


@pytest.mark.parametrize("measure", ["mse", "ssim"])
def test_errors_of_blocks_by_hand(measure: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-0.5, 0.5, (2, 1, 3, 32, 48)).astype(np.float32)
    found = StopRule(measure).errors(torch.from_numpy(x), torch.from_numpy(3 * y))
    assert found.shape == (1, 2, 3)
    block = np.s_[0, :, 16:32, 32:48]
    expected = ((x[block] - np.clip(3 * y[block], -0.5, 0.5)) ** 2).mean()
    if measure == "ssim":
        variance = np.mean([plane.var(ddof=1) for plane in x[block]])
        expected /= variance + 0.003
    np.testing.assert_allclose(found[0, 1, 2], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("psnr", "adaptive=psnr: expected one of ssim, mse"),
        ("", "adaptive=: expected one of ssim, mse"),
        ("mse=", "adaptive=mse=: expected a measure, or one with a number as ssim=0.02"),
        ("mse=small", "adaptive=mse=small: expected a measure"),
        ("mse=0", "adaptive=mse=0: expected a positive threshold"),
        ("ssim=nan", "adaptive=ssim=nan: expected a positive threshold"),
    ],
)
def test_what_is_no_rule(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        StopRule.parse(text)
