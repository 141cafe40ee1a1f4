"""Rate-distortion curves of our models: means over images and areas under them (section 4).

An area always names its range, its rule and its rates, because these move it by more than the
models differ. A curve that does not cover the range has no area: absent is absent.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np

from rnncodec.evaluation.metrics import METRICS
from rnncodec.evaluation.rd_points import Array, measure
from rnncodec.evaluation.results import Result
from rnncodec.machine.storage import write_text

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


Samples: TypeAlias = Sequence[tuple[float, float]]
"""A curve as (bpp, value) pairs, in increasing order of bpp."""

LOW, HIGH = 0.25, 1.5
"""The range of the AUC, in bpp."""


@dataclass(frozen=True)
class MeanCurve:
    """One metric over rate, averaged over images at equal iteration.

    Attributes:
        images: how many images entered the averages (of bpp, too).
        absent: how many images lack this metric.
        iteration, bpp, value: one entry per point.
    """

    images: int
    absent: int
    iteration: list[int]
    bpp: list[float]
    value: list[float]

    @property
    def samples(self) -> list[tuple[float, float]]:
        """The curve as (bpp, value) pairs."""
        return list(zip(self.bpp, self.value, strict=True))


def mean_curve(points: Sequence[Result], metric: str) -> MeanCurve | None:
    """Average bpp and ``metric`` over images at equal iteration; None if no image has it.

    Images that lack the metric are left out of both averages, and counted; for what else is left
    out see :func:`rnncodec.evaluation.rd_points.measure`. Rows without an iteration do not count.

    Args:
        points: rows of one codec.
        metric: a name of a Result's metrics.

    Raises:
        DataError: two rows for the same iteration and image; a rate that is not positive; a
            quality that is no number.
    """
    found = measure([point for point in points if point.iteration is not None], metric)
    if not found or not found[0].settings:
        return None
    (curve,) = found
    absent = len({point.image for point in points}) - len(curve.images)
    bpp, value = zip(*curve.samples(), strict=True)
    return MeanCurve(
        len(curve.images), absent, list(curve.iterations or ()), list(bpp), list(value)
    )


def auc(samples: Samples, low: float = LOW, high: float = HIGH) -> float | None:
    """Mean of the piecewise linear curve over [low, high] bpp: its integral / (high - low).

    None when the samples do not cover the range.

    Examples:
        >>> auc([(0.0, 0.0), (2.0, 1.0)], 0.5, 1.5)
        0.5
        >>> auc([(0.5, 0.9), (1.0, 0.95)]) is None
        True
    """
    bpp, value = np.array(samples, float).reshape(1, -1, 2).transpose(2, 0, 1)
    return or_none(mean_over(bpp, value, low, high))


def auc_nominal(curve: MeanCurve) -> float | None:
    """Area (trapezoid, not divided by the range) over 0.125-2.0 bpp at the nominal k/8 bpp.

    This is the rule for comparing with the authors' curve, which has no entropy coding: the
    rate of iteration k counts as k/8 bpp, whatever the files weighed. A perfect MS-SSIM would
    have 1.875. None unless the curve has the iterations 1 to 16.
    """
    return or_none(over_eighths(curve.iteration, np.array([curve.value])))


def or_none(figures: Array) -> float | None:
    """The one figure of an array (1,), or None where it is NaN."""
    return None if np.isnan(figures[0]) else float(figures[0])


def summarize(points: Sequence[Result]) -> dict[str, Any]:
    """What summary.json holds, as plain types.

    ``curve`` has one row per iteration: images that reached it, their mean bpp, and the mean of
    each metric over the images that have it. ``absent`` counts, by metric, the images that do
    not. ``auc`` names each area and states its convention; one that no curve covers is absent,
    as is a metric that no image has.
    """
    curves = {metric: mean_curve(points, metric) for metric in METRICS}
    present = {metric: curve for metric, curve in curves.items() if curve is not None}
    images = len({point.image for point in points})
    return {
        "images": images,
        "iterations": max((point.iteration or 0 for point in points), default=0),
        "curve": curve_rows(points, present),
        "absent": {
            metric: images - (curve.images if curve else 0)
            for metric, curve in curves.items()
            if curve is None or curve.absent
        },
        "auc": {
            name: entry
            for metric, curve in present.items()
            for name, entry in areas(metric, curve)
        },
    }


def curve_rows(
    points: Sequence[Result], curves: dict[str, MeanCurve]
) -> list[dict[str, float | int]]:
    """One row per iteration: iteration, images, bpp, and the metrics that have a mean there."""
    means = {
        metric: dict(zip(curve.iteration, curve.value, strict=True))
        for metric, curve in curves.items()
    }
    rows = []
    for iteration in sorted({k for point in points if (k := point.iteration) is not None}):
        group = [point.bpp for point in points if point.iteration == iteration]
        rates = [bpp for bpp in group if bpp is not None]
        row = {"iteration": iteration, "images": len(rates), "bpp": fmean(rates)}
        values = {m: v[iteration] for m, v in means.items() if iteration in v}
        rows.append({**row, **values})
    return rows


def areas(metric: str, curve: MeanCurve) -> Iterator[tuple[str, dict[str, Any]]]:
    """The AUCs that this curve covers: name, and value with its convention."""
    ranged = {
        "value": auc(curve.samples),
        "bpp": [LOW, HIGH],
        "rule": "mean of the piecewise linear mean curve over the range",
        "rates": "bpp as measured, in results.csv",
    }
    nominal = {
        "value": auc_nominal(curve),
        "bpp": [1 / 8, NOMINAL_ITERATIONS / 8],
        "rule": "trapezoid over the range, not divided by it",
        "rates": "nominal: iteration / 8 bpp, no entropy coding",
    }
    for name, entry in ((f"[{LOW}, {HIGH}]", ranged), ("nominal", nominal)):
        if entry["value"] is not None:
            yield f"{metric} AUC {name}", {"metric": metric, "images": curve.images, **entry}


def write_summary(path: Path, summary: dict[str, Any]) -> None:
    """Write summary.json, atomically.

    Raises:
        StorageError: it could not be written.
    """
    write_text(path, json.dumps(summary, indent=2, allow_nan=False) + "\n")
