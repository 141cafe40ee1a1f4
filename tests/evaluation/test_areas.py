from collections.abc import Sequence

import numpy as np
import pytest

from rnncodec.evaluation.curves import RDCurve

RNG = np.random.default_rng(5)
BPP = np.sort(RNG.uniform(0.05, 2.5, (40, 9)), axis=1)
VALUE = np.cumsum(RNG.uniform(-0.3, 1.0, (40, 9)), axis=1)


def curve(bpp: np.ndarray, quality: np.ndarray, iterations: Sequence[int] = ()) -> RDCurve:
    return RDCurve("", "", bpp, quality, iterations=tuple(iterations))


def test_areas_of_many_curves_are_those_of_each() -> None:
    found = curve(BPP, VALUE).area(0.25, 1.5)
    expected = np.full(len(BPP), np.nan)
    for k, (x, y) in enumerate(zip(BPP, VALUE, strict=True)):
        if x[0] <= 0.25 and x[-1] >= 1.5:
            grid = np.union1d([0.25, 1.5], x[(x > 0.25) & (x < 1.5)])
            expected[k] = np.trapezoid(np.interp(grid, x, y), grid) / 1.25
    assert 5 < np.isnan(expected).sum() < 35  # both kinds are there
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_an_area_is_the_integral_of_the_interpolated_curve() -> None:
    bpp, value = np.array([[0.1, 0.7, 0.7, 1.9]]), np.array([[20.0, 25.0, 26.0, 31.0]])
    grid = np.linspace(0.25, 1.5, 200_001)
    expected = np.interp(grid, bpp[0], value[0]).mean()
    assert curve(bpp, value).area(0.25, 1.5)[0] == pytest.approx(expected, abs=1e-4)


def test_areas_over_eighths_find_their_iterations() -> None:
    value = RNG.uniform(size=(3, 20))
    order = RNG.permutation(20)
    expected = np.trapezoid(value[:, :16], np.arange(1, 17) / 8, axis=1)
    found = curve(value, value[:, order], (order + 1).tolist()).nominal_area()
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.isnan(curve(value, value[:, :16], [*range(1, 16), 17]).nominal_area()).all()


def test_the_rate_at_a_level_is_where_the_curve_first_reaches_it() -> None:
    fine = np.linspace(0.05, 2.5, 100_001)
    for x, y, found in zip(BPP, VALUE, curve(BPP, VALUE).rate_at(1.5), strict=True):
        inside = fine[(fine >= x[0]) & (fine <= x[-1])]
        reached = np.interp(inside, x, y) >= 1.5
        if y[0] > 1.5 or y.max() < 1.5:
            assert np.isnan(found)
        else:
            assert found == pytest.approx(inside[reached.argmax()], abs=1e-4)


@pytest.mark.parametrize("points", [0, 1])
def test_curves_of_no_or_one_point_have_neither(points: int) -> None:
    empty = np.full((3, points), 0.5)
    assert np.isnan(curve(empty, empty).area(0.25, 1.5)).all()
    assert np.isnan(curve(empty, empty).rate_at(0.7)).all()


def test_a_level_that_is_met_exactly_is_reached() -> None:
    bpp, value = np.array([[1.0, 2.0, 3.0]]), np.array([[30.0, 34.0, 36.0]])
    assert [curve(bpp, value).rate_at(level)[0] for level in (30.0, 34.0, 36.0)] == [1.0, 2.0, 3.0]
