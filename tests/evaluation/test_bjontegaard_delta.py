import bjontegaard
import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from rnncodec.evaluation.curves import RDCurve
from rnncodec.evaluation.statistics import (
    METRIC,
    RATE,
    RESAMPLES,
    bd_metric,
    bd_rate,
    deltas,
    integrals,
)

RATES = np.geomspace(0.1, 2.0, 9)
QUALITY = 28 + 8 * np.log2(1 + RATES)


def curves(bpp: np.ndarray, quality: np.ndarray) -> RDCurve:
    return RDCurve("", "", bpp, quality)


def repeated(bpp: np.ndarray, value: np.ndarray) -> RDCurve:
    """The same curve in all resamples."""
    return curves(np.tile(bpp, (1 + RESAMPLES, 1)), np.tile(value, (1 + RESAMPLES, 1)))


def rising(rows: int, points: int, seed: int) -> RDCurve:
    rng = np.random.default_rng(seed)
    bpp = np.cumsum(rng.uniform(0.05, 0.3, (rows, points)), axis=1)
    return curves(bpp, 25 + np.cumsum(rng.uniform(0.1, 2.0, (rows, points)), axis=1))


def test_half_the_rate_is_minus_fifty_percent() -> None:
    found = bd_rate(repeated(RATES, QUALITY), repeated(RATES / 2, QUALITY), 5)
    assert (found.value, found.low, found.high) == pytest.approx((-50.0, -50.0, -50.0))
    assert found.range == pytest.approx((QUALITY[0], QUALITY[-1]))


def test_two_decibels_more_are_two_decibels_over_the_common_rates() -> None:
    test = repeated(RATES[2:] * 1.0, QUALITY[2:] + 2)
    found = bd_metric(repeated(RATES, QUALITY), test, 5)
    expected = PchipInterpolator(np.log10(RATES), QUALITY)
    other = PchipInterpolator(np.log10(RATES[2:]), QUALITY[2:] + 2)
    low, high = np.log10(RATES[[2, -1]])
    by_hand = (other.integrate(low, high) - expected.integrate(low, high)) / (high - low)
    assert found.value == pytest.approx(by_hand, rel=1e-12)
    assert found.value == pytest.approx(2.0, abs=0.01)
    assert found.range == pytest.approx((RATES[2], RATES[-1]))


@pytest.mark.parametrize(("rule", "library"), [(RATE, "bd_rate"), (METRIC, "bd_psnr")])
@pytest.mark.parametrize("points", [4, 5, 12])
def test_many_deltas_at_once_are_those_of_the_library(rule, library: str, points: int) -> None:
    anchor, test = rising(30, points, 1), rising(30, points + 3, 2)
    expected = [
        getattr(bjontegaard, library)(
            *(anchor.bpp[k], anchor.quality[k], test.bpp[k], test.quality[k]),
            method="pchip",
            require_matching_points=False,
            min_overlap=0,
        )
        for k in range(30)
    ]
    np.testing.assert_allclose(deltas(anchor, test, rule), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("points", [2, 3, 7])
def test_integrals_are_those_of_scipy(points: int) -> None:
    drawn = rising(10, points, 7)
    low = drawn.bpp[:, 0] + 0.01
    high = drawn.bpp[:, -1] - 0.02
    expected = [
        PchipInterpolator(x, y).integrate(a, b)
        for x, y, a, b in zip(drawn.bpp, drawn.quality, low, high, strict=True)
    ]
    np.testing.assert_allclose(
        integrals(drawn.bpp, drawn.quality, low, high), expected, rtol=1e-12
    )


def test_points_no_better_than_a_cheaper_one_are_left_out() -> None:
    worse = np.insert(QUALITY, 5, QUALITY[3])
    rates = np.insert(RATES, 5, (RATES[4] + RATES[5]) / 2)
    found = bd_rate(repeated(RATES, QUALITY), repeated(rates, worse), 5)
    assert found.value == pytest.approx(0.0, abs=1e-9)


def test_few_points_have_no_delta() -> None:
    flat = np.where(np.arange(9) < 3, QUALITY, QUALITY[2])
    found = bd_rate(repeated(RATES, QUALITY), repeated(RATES, flat), 5)
    assert (found.value, found.reason) == (None, "the codec has 3 rising points; 4 are needed")
    found = bd_metric(repeated(RATES[:2], QUALITY[:2]), repeated(RATES, QUALITY), 5)
    assert found.reason == "the anchor has 2 rising points; 4 are needed"
    empty = curves(np.ones((1 + RESAMPLES, 0)), np.ones((1 + RESAMPLES, 0)))
    found = bd_metric(repeated(RATES, QUALITY), empty, 5)
    assert found.reason == "the codec has 0 rising points; 4 are needed"


def test_little_in_common_is_refused() -> None:
    anchor = repeated(RATES, QUALITY)
    far = bd_rate(anchor, repeated(RATES, QUALITY + 100), 5)
    assert far.reason == "the curves have 0 % of the shorter range in common; 50 % are needed"
    span = QUALITY[-1] - QUALITY[0]
    near = bd_rate(anchor, repeated(RATES, QUALITY + 0.6 * span), 5)
    assert near.reason.startswith("the curves have 40 %")
    assert bd_rate(anchor, repeated(RATES, QUALITY + 0.4 * span), 5).value is not None


def test_resamples_without_common_range_leave_no_interval() -> None:
    test = repeated(RATES, QUALITY)
    test.quality[9] += 100
    found = bd_rate(repeated(RATES, QUALITY), test, 5)
    assert found.value == pytest.approx(0.0)
    assert found.reason == f"no interval: absent in 1 of {RESAMPLES} resamples"
