"""Rate-distortion curves of our models: means over images and areas under them (section 4).

An area always names its range, its rule and its rates, because these move it by more than the
models differ. A curve that does not cover the range has no area: absent is absent.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

from rnncodec.evaluation.metrics import METRICS
from rnncodec.evaluation.results import Result
from rnncodec.storage import write_text

Samples: TypeAlias = Sequence[tuple[float, float]]
"""A curve as (bpp, value) pairs, in increasing order of bpp."""

LOW, HIGH = 0.25, 1.5
"""The range of the AUC, in bpp."""

NOMINAL_ITERATIONS = 16
"""The iterations that the nominal AUC spans: 0.125 to 2.0 bpp."""


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

    Images that lack the metric are left out of both averages, and counted. An iteration that
    only some of the images reached is left out, since its average would be over other images;
    so is one where an image is perfect, and its decibels (and the average) infinite.
    """
    having = [
        (point.image, point.iteration, point.bpp, value)
        for point in points
        if point.iteration is not None and point.bpp is not None
        if (value := getattr(point, metric)) is not None
    ]
    images = len({image for image, *_ in having})
    absent = len({point.image for point in points}) - images
    iterations, rates, values = [], [], []
    for iteration in sorted({k for _, k, _, _ in having}):
        group = [(bpp, value) for _, k, bpp, value in having if k == iteration]
        value = fmean(value for _, value in group)
        if len(group) == images and math.isfinite(value):
            iterations.append(iteration)
            rates.append(fmean(bpp for bpp, _ in group))
            values.append(value)
    return MeanCurve(images, absent, iterations, rates, values) if iterations else None


def auc(samples: Samples, low: float = LOW, high: float = HIGH) -> float | None:
    """Mean of the piecewise linear curve over [low, high] bpp: its integral / (high - low).

    None when the samples do not cover the range.

    Examples:
        >>> auc([(0.0, 0.0), (2.0, 1.0)], 0.5, 1.5)
        0.5
        >>> auc([(0.5, 0.9), (1.0, 0.95)]) is None
        True
    """
    if not samples or samples[0][0] > low or samples[-1][0] < high:
        return None
    inside = [(bpp, value) for bpp, value in samples if low < bpp < high]
    ends = [(bpp, interpolate(samples, bpp)) for bpp in (low, high)]
    return trapezoid([ends[0], *inside, ends[1]]) / (high - low)


def auc_nominal(curve: MeanCurve) -> float | None:
    """Area (trapezoid, not divided by the range) over 0.125-2.0 bpp at the nominal k/8 bpp.

    This is the rule for comparing with the authors' curve, which has no entropy coding: the
    rate of iteration k counts as k/8 bpp, whatever the files weighed. A perfect MS-SSIM would
    have 1.875. None unless the curve has the iterations 1 to 16.
    """
    by_iteration = dict(zip(curve.iteration, curve.value, strict=True))
    if not all(k in by_iteration for k in range(1, NOMINAL_ITERATIONS + 1)):
        return None
    return trapezoid([(k / 8, by_iteration[k]) for k in range(1, NOMINAL_ITERATIONS + 1)])


def interpolate(samples: Samples, bpp: float) -> float:
    """The piecewise linear curve at ``bpp``, which must lie within it."""
    for (x0, y0), (x1, y1) in pairwise(samples):
        if x0 <= bpp <= x1:
            return y0 if x1 == x0 else y0 + (y1 - y0) * (bpp - x0) / (x1 - x0)
    assert samples[0][0] == bpp, (samples, bpp)  # a single sample
    return samples[0][1]


def trapezoid(samples: Samples) -> float:
    """Integral of the piecewise linear curve through the samples."""
    return math.fsum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(samples))


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
