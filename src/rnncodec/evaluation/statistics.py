"""Figures with 95 % intervals by bootstrap over images, and Bjontegaard deltas between curves."""

from dataclasses import dataclass
from typing import Any

import bjontegaard
import numpy as np

from rnncodec.evaluation.curves import Array, RDCurve

RESAMPLES, SEED = 2000, 0
"""How many resamples of the images, and the seed that they are drawn with."""

PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A figure, its interval, and the reason for what is missing.

    Attributes:
        value: None where the data do not support one; ``reason`` says why.
        low, high: the 95 % interval, or None; ``reason`` says why.
        reason: "" where nothing is missing.
        range: what the figure is an average over, where that depends on the data.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    range: tuple[float, float] | None = None

    def plain(self) -> dict[str, Any]:
        """For JSON; keys that say nothing are absent."""
        interval = None if self.low is None else [self.low, self.high]
        full = {"value": self.value, "interval": interval, "range": self.range}
        said = {key: item for key, item in full.items() if item is not None}
        return said | ({"reason": self.reason} if self.reason else {})


def resamples(images: int) -> Array:
    """Weights (1 + RESAMPLES, images): first the images as they are, then drawn with replacement.

    The same count gives the same weights, so figures of codecs over the same images are paired.

    Examples:
        >>> weights = resamples(24)
        >>> weights.shape, bool((weights[0] == 1 / 24).all())
        ((2001, 24), True)
    """
    rng = np.random.default_rng(SEED)
    drawn = rng.multinomial(images, np.full(images, 1 / images), size=RESAMPLES)
    return np.vstack([np.ones(images), drawn]) / images


def estimate(
    values: Array, images: int, *, reason: str = "", over: tuple[float, float] | None = None
) -> Estimate:
    """A figure from its (1 + RESAMPLES,) values: of the images, then of their resamples.

    NaN is where there is none; ``reason`` says why the first is, if it is. ``over`` is its range.
    """
    value, drawn = float(values[0]), values[1:]
    if not np.isfinite(value):
        assert reason, "a missing figure has a reason"
        return Estimate(None, reason=reason)
    if images < 2:
        return Estimate(value, reason="one image has no interval", range=over)
    missing = int(np.count_nonzero(~np.isfinite(drawn)))
    if missing:
        return Estimate(
            value, reason=f"no interval: absent in {missing} of {drawn.size} resamples", range=over
        )
    low, high = np.percentile(drawn, PERCENTILES)
    return Estimate(value, float(low), float(high), range=over)


METHOD = "pchip"
MIN_POINTS = 4
MIN_OVERLAP = 0.5
"""How much of the shorter of both ranges has to be common to both curves."""


RATE, METRIC = "rate", "metric"
"""What a Bjontegaard delta is of: of log10 rates over quality, or of quality over log10 rates."""


def axes(bpp: Array, quality: Array, of: str) -> tuple[Array, Array]:
    """Over what a delta is taken, x, and what it is of, y."""
    return (quality, np.log10(bpp)) if of == RATE else (np.log10(bpp), quality)


def bd_rate(anchor: RDCurve, test: RDCurve, images: int) -> Estimate:
    """By how many percent files of ``test`` are larger at equal quality; range: quality."""
    return bjontegaard_delta(anchor, test, images, RATE)


def bd_metric(anchor: RDCurve, test: RDCurve, images: int) -> Estimate:
    """By how much ``test`` is better at equal rate, in the metric's unit; range: bpp."""
    return bjontegaard_delta(anchor, test, images, METRIC)


def bjontegaard_delta(anchor: RDCurve, test: RDCurve, images: int, of: str) -> Estimate:
    """The delta with its interval and range, or the reason why there is none."""
    one = np.array([0])
    a, t = (curve.part(one, curve.rising()[0]) for curve in (anchor, test))
    for whose, (bpp, _) in (("the anchor", a), ("the codec", t)):
        if (count := bpp.shape[1]) < MIN_POINTS:
            reason = f"{whose} has {count} rising points; {MIN_POINTS} are needed"
            return Estimate(None, reason=reason)
    xa, xt = axes(*a, of)[0][0], axes(*t, of)[0][0]
    low, high = float(max(xa[0], xt[0])), float(min(xa[-1], xt[-1]))
    share = (high - low) / float(min(xa[-1] - xa[0], xt[-1] - xt[0]))
    if share < MIN_OVERLAP:
        return Estimate(
            None,
            reason=f"the curves have {max(0.0, share):.0%} of the shorter range in common; "
            f"{MIN_OVERLAP:.0%} are needed".replace("%", " %"),
        )
    library = bjontegaard.bd_rate if of == RATE else bjontegaard.bd_psnr
    value = library(
        *(a[0][0], a[1][0], t[0][0], t[1][0]),
        method=METHOD,
        require_matching_points=False,
        min_overlap=0,
    )
    values = np.concatenate([[value], deltas(anchor, test, of)[1:]])
    return estimate(values, images, over=(low, high) if of == RATE else (10**low, 10**high))


def deltas(anchor: RDCurve, test: RDCurve, of: str) -> Array:
    """(R,) deltas; NaN where curves have fewer than two points or no range in common.

    The library's figures, 150 times as fast: rows with the same rising points are computed at
    once, and most are such.
    """
    points = anchor.bpp.shape[1]
    rising = np.hstack([anchor.rising(), test.rising()])
    found = np.full(len(rising), np.nan)
    patterns, group = np.unique(rising, axis=0, return_inverse=True)
    for k, pattern in enumerate(patterns):
        rows = np.flatnonzero(group.ravel() == k)
        xa, ya = axes(*anchor.part(rows, pattern[:points]), of)
        xt, yt = axes(*test.part(rows, pattern[points:]), of)
        if min(xa.shape[1], xt.shape[1]) < 2:
            continue
        low, high = np.maximum(xa[:, 0], xt[:, 0]), np.minimum(xa[:, -1], xt[:, -1])
        common = np.where(high > low, high - low, np.nan)
        mean = (integrals(xt, yt, low, high) - integrals(xa, ya, low, high)) / common
        found[rows] = 100 * (10**mean - 1) if of == RATE else mean
    return found


def integrals(x: Array, y: Array, low: Array, high: Array) -> Array:
    """Integrals of R rising piecewise cubics through (R, P) points over [low, high], both (R,).

    P is at least 2; the limits lie within the points.
    """
    h = np.diff(x)
    m = slopes(h, np.diff(y) / h)
    ends = []
    for limit in (low, high):
        t = np.clip((limit[:, None] - x[:, :-1]) / h, 0, 1)
        square, cube = t * t, t * t * t
        of_values = y[:, :-1] * (t - cube + cube * t / 2) + y[:, 1:] * (cube - cube * t / 2)
        of_slopes = m[:, :-1] * (square / 2 - 2 * cube / 3 + cube * t / 4)
        of_slopes += m[:, 1:] * (cube * t / 4 - cube / 3)
        ends.append((h * (of_values + h * of_slopes)).sum(axis=1))
    return np.asarray(ends[1] - ends[0])


def slopes(h: Array, d: Array) -> Array:
    """Slopes (R, P) of rising points (Fritsch, Butland), from widths, secants (R, P - 1)."""
    if h.shape[1] == 1:
        return np.hstack([d, d])
    w0, w1 = 2 * h[:, 1:] + h[:, :-1], h[:, 1:] + 2 * h[:, :-1]
    inner = (w0 + w1) / (w0 / d[:, :-1] + w1 / d[:, 1:])
    first = end_slope(h[:, 0], h[:, 1], d[:, 0], d[:, 1])
    last = end_slope(h[:, -1], h[:, -2], d[:, -1], d[:, -2])
    return np.hstack([first[:, None], inner, last[:, None]])


def end_slope(h0: Array, h1: Array, d0: Array, d1: Array) -> Array:
    """The slope at an end, from its own interval and the next one; it never falls."""
    return np.asarray(np.maximum(((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1), 0.0))
