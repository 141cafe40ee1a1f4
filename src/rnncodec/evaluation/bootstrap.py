"""Figures with 95 % intervals: bootstrap over images, the same resamples for every codec."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncodec.evaluation.measured import Array

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
