"""Figures with 95 % intervals by bootstrap over images, and Bjontegaard deltas between curves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bjontegaard
import numpy as np

from rnncodec.evaluation.rd_points import Array

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
    """A figure from its value (first) and its values in all resamples; NaN where it has none.

    Args:
        values: (1 + RESAMPLES,).
        images: how many were resampled.
        reason: why the first is NaN, if it is.
        over: see :class:`Estimate`.
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


@dataclass(frozen=True)
class Curves:
    """R curves of a codec: (R, P) rates, rising along each row, and (R, P) qualities.

    The first is over all images, the others are resamples.
    """

    bpp: Array
    value: Array

    def kept(self) -> Array:
        """(R, P) booleans: points that are better than all cheaper ones."""
        best = np.maximum.accumulate(self.value, axis=1)
        first = np.ones((len(self.value), min(1, self.value.shape[1])), bool)
        rises = (self.value[:, 1:] > best[:, :-1]) & (self.bpp[:, 1:] > self.bpp[:, :-1])
        return np.hstack([first, rises])

    def part(self, rows: Array, points: Array) -> "Curves":
        """Some rows with some of their points."""
        return Curves(self.bpp[rows][:, points], self.value[rows][:, points])


def bd_rate(anchor: Curves, test: Curves, images: int) -> Estimate:
    """By how many percent files of ``test`` are larger at equal quality; range: quality."""
    return delta(anchor, test, images, RATE)


def bd_metric(anchor: Curves, test: Curves, images: int) -> Estimate:
    """By how much ``test`` is better at equal rate, in the metric's unit; range: bpp."""
    return delta(anchor, test, images, METRIC)


@dataclass(frozen=True)
class Rule:
    """Over what a delta is taken, of what, and what is made of it.

    Attributes:
        axes: curves -> x and y.
        library: the function of ``bjontegaard`` for one pair of curves.
        finish: mean difference of y -> delta.
        limit: an end of the range of x -> as it is stated.
    """

    axes: Callable[[Curves], tuple[Array, Array]]
    library: Callable[..., float]
    finish: Callable[[Array], Array]
    limit: Callable[[float], float]


RATE = Rule(
    lambda curves: (curves.value, np.log10(curves.bpp)),
    bjontegaard.bd_rate,
    lambda mean: 100 * (10**mean - 1),
    lambda quality: quality,
)
METRIC = Rule(
    lambda curves: (np.log10(curves.bpp), curves.value),
    bjontegaard.bd_psnr,
    lambda mean: mean,
    lambda log_rate: 10**log_rate,
)


def delta(anchor: Curves, test: Curves, images: int, rule: Rule) -> Estimate:
    """The delta with its interval and range, or the reason why there is none."""
    one = np.array([0])
    a, t = (curves.part(one, curves.kept()[0]) for curves in (anchor, test))
    for whose, curve in (("the anchor", a), ("the codec", t)):
        if (count := curve.bpp.shape[1]) < MIN_POINTS:
            reason = f"{whose} has {count} rising points; {MIN_POINTS} are needed"
            return Estimate(None, reason=reason)
    (xa, _), (xt, _) = rule.axes(a), rule.axes(t)
    low, high, share = overlap(xa[0], xt[0])
    if share < MIN_OVERLAP:
        return Estimate(
            None,
            reason=f"the curves have {max(0.0, share):.0%} of the shorter range in common; "
            f"{MIN_OVERLAP:.0%} are needed".replace("%", " %"),
        )
    value = rule.library(
        *(a.bpp[0], a.value[0], t.bpp[0], t.value[0]),
        method=METHOD,
        require_matching_points=False,
        min_overlap=0,
    )
    drawn = deltas(anchor, test, rule)[1:]
    return estimate(
        np.concatenate([[value], drawn]), images, over=(rule.limit(low), rule.limit(high))
    )


def overlap(xa: Array, xt: Array) -> tuple[float, float, float]:
    """The common range of two rising series, and its share of the shorter one."""
    low, high = max(xa[0], xt[0]), min(xa[-1], xt[-1])
    shorter = min(xa[-1] - xa[0], xt[-1] - xt[0])
    return float(low), float(high), float((high - low) / shorter)


def deltas(anchor: Curves, test: Curves, rule: Rule) -> Array:
    """(R,) deltas; NaN where curves have fewer than two points or no range in common.

    Rows that keep the same points are computed at once; most do.
    """
    points = anchor.bpp.shape[1]
    kept = np.hstack([anchor.kept(), test.kept()])
    found = np.full(len(kept), np.nan)
    alike: dict[bytes, list[int]] = {}
    for row, flags in enumerate(kept):
        alike.setdefault(flags.tobytes(), []).append(row)
    for rows in map(np.array, alike.values()):
        pattern = kept[rows[0]]
        xa, ya = rule.axes(anchor.part(rows, pattern[:points]))
        xt, yt = rule.axes(test.part(rows, pattern[points:]))
        if min(xa.shape[1], xt.shape[1]) < 2:
            continue
        low, high = np.maximum(xa[:, 0], xt[:, 0]), np.minimum(xa[:, -1], xt[:, -1])
        common = np.where(high > low, high - low, np.nan)
        mean = (integrals(xt, yt, low, high) - integrals(xa, ya, low, high)) / common
        found[rows] = rule.finish(mean)
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
