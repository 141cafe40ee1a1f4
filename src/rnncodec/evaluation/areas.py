"""Areas under many curves at once, and the rates at which they reach a quality.

All take R curves as (R, P) rates, rising along each row, and (R, P) qualities, and give (R,)
figures, NaN where a curve does not cover what is asked: nothing is extrapolated.
"""

from collections.abc import Sequence

import numpy as np

from rnncodec.evaluation.measured import Array

NOMINAL_ITERATIONS = 16
"""The iterations that the nominal AUC spans: 0.125 to 2.0 bpp."""


def mean_over(bpp: Array, value: Array, low: float, high: float) -> Array:
    """Mean of the piecewise linear curves over [low, high] bpp: integral / (high - low).

    Examples:
        >>> mean_over(np.array([[0.0, 2.0], [0.6, 2.0]]), np.array([[0.0, 1.0]] * 2), 0.5, 1.5)
        array([0.5, nan])
    """
    if bpp.shape[1] < 2:
        return np.full(len(bpp), np.nan)
    width = np.diff(bpp)
    slope = np.divide(np.diff(value), width, out=np.zeros_like(width), where=width > 0)
    start = np.clip(bpp[:, :-1], low, high)
    end = np.clip(bpp[:, 1:], low, high)
    middle = value[:, :-1] + slope * ((start + end) / 2 - bpp[:, :-1])
    mean = ((end - start) * middle).sum(axis=1) / (high - low)
    covered = (bpp[:, 0] <= low) & (bpp[:, -1] >= high)
    return np.where(covered, mean, np.nan)


def over_eighths(iterations: Sequence[int], value: Array) -> Array:
    """Areas over 0.125-2.0 bpp, where iteration k has k/8 bpp; not divided by the range.

    Args:
        iterations: P of them, which the columns of ``value`` are of.
        value: (R, P).

    Examples:
        >>> over_eighths(range(1, 17), np.ones((1, 16)))
        array([1.875])
    """
    wanted = range(1, NOMINAL_ITERATIONS + 1)
    if not set(iterations).issuperset(wanted):
        return np.full(len(value), np.nan)
    columns = [iterations.index(k) for k in wanted]
    return np.asarray(np.trapezoid(value[:, columns], dx=1 / 8, axis=1))


def rate_at(bpp: Array, value: Array, level: float) -> Array:
    """The rate at which the piecewise linear curves first reach ``level``.

    NaN where a curve is better than that from its first point on, or never so good.

    Examples:
        >>> rate_at(np.array([[1.0, 2.0]]), np.array([[30.0, 34.0]]), 31.0)
        array([1.25])
    """
    if bpp.shape[1] == 0:
        return np.full(len(bpp), np.nan)
    reached = value >= level
    k = np.maximum(reached.argmax(axis=1), 1).clip(max=bpp.shape[1] - 1)[:, None]
    x0, x1, y0, y1 = (
        np.take_along_axis(a, i, 1)[:, 0] for a in (bpp, value) for i in (np.maximum(k - 1, 0), k)
    )
    rise = y1 - y0
    part = np.divide(level - y0, rise, out=np.zeros_like(rise), where=rise > 0)
    covered = (value[:, 0] <= level) & reached.any(axis=1)
    return np.where(covered, x0 + part * (x1 - x0), np.nan)
