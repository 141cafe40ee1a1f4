import numpy as np
import pytest
from scipy import stats

from rnncodec.evaluation.statistics import RESAMPLES, Estimate, estimate, resamples

VALUES = np.random.default_rng(3).gamma(2.0, size=24)


def test_the_interval_of_a_mean_is_that_of_an_independent_bootstrap() -> None:
    found = estimate(resamples(24) @ VALUES, 24)
    other = stats.bootstrap(
        (VALUES,), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    width = other.high - other.low
    assert found.value == pytest.approx(VALUES.mean(), rel=1e-12)
    assert found.low == pytest.approx(other.low, abs=0.06 * width)
    assert found.high == pytest.approx(other.high, abs=0.06 * width)


def test_every_resample_draws_as_many_images_as_there_are() -> None:
    drawn = resamples(7) * 7
    np.testing.assert_allclose(drawn, drawn.round(), atol=1e-12)
    np.testing.assert_allclose(drawn.sum(axis=1), 7)
    assert drawn[0].tolist() == [1] * 7
    np.testing.assert_array_equal(resamples(7) * 7, drawn)


def test_what_is_missing_has_its_reason() -> None:
    values = np.full(1 + RESAMPLES, 0.5)
    assert estimate(values, 1) == Estimate(0.5, reason="one image has no interval")
    values[3:10] = np.nan
    assert estimate(values, 9).reason == f"no interval: absent in 7 of {RESAMPLES} resamples"
    values[0] = np.nan
    assert estimate(values, 9, reason="too short") == Estimate(None, reason="too short")


def test_json_leaves_out_what_says_nothing() -> None:
    assert Estimate(0.5, 0.4, 0.6, range=(0.1, 2.0)).plain() == {
        **{"value": 0.5, "interval": [0.4, 0.6], "range": (0.1, 2.0)},
    }
    assert Estimate(None, reason="why").plain() == {"reason": "why"}


def test_the_first_weights_are_those_of_the_images_as_they_are() -> None:
    weights = resamples(24)
    assert weights.shape == (2001, 24)
    assert (weights[0] == 1 / 24).all()
