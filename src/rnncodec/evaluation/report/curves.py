"""From the table of results and published curves to what the plot of the page draws."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from rnncodec.evaluation.metrics import DECIBEL, METRICS, decibels, described
from rnncodec.evaluation.plots import COLOURS, DASHES, MARKERS, Curves, with_decibel
from rnncodec.evaluation.rd_points import RDPoints, measure, metrics_of, nominal, quality
from rnncodec.evaluation.results import Result


@dataclass(frozen=True)
class MetricStyle:
    """How a metric is written.

    Attributes:
        key: its column in results.csv, or :data:`rnncodec.evaluation.metrics.DECIBEL`.
        title: with its unit.
        unit: after a value, with a space; may be "".
        digits: after the point.
        near_one: whether it crowds just below 1, where an axis spaced by -10 log10(1 - x) helps.
    """

    key: str
    title: str
    unit: str = ""
    digits: int = 4
    near_one: bool = False


FIRST = ("ms_ssim", DECIBEL, "psnr_rgb", "psnr_hvs", "psnr_hvs_m", "ssim")
"""The order of the page; other metrics come after these."""


def styles(metrics: Iterable[str]) -> list[MetricStyle]:
    """How to write these metrics: first those of :data:`FIRST`, then registered ones.

    Examples:
        >>> [style.title for style in styles(["vif", "psnr_rgb"])]
        ['PSNR RGB (dB)', 'vif']
    """
    wanted = list(metrics)
    order = dict.fromkeys([*FIRST, *METRICS, *wanted])
    return [style(name) for name in order if name in wanted]


def style(name: str) -> MetricStyle:
    """How to write one metric."""
    metric = described(name)
    unit = f" {metric.unit}" if metric.unit else ""
    return MetricStyle(name, metric.heading, unit, metric.digits, metric.near_one)


def value(result: Result, metric: str) -> float | None:
    """A metric of one row; None where the row does not have it, infinite decibels of 1."""
    found = quality(result, metric)
    if found is None or metric != DECIBEL:
        return found
    return float(decibels(found))


Sample: TypeAlias = tuple[float, float, str]
"""bpp, value, and what was asked of the codec there."""

MAX_BPP = 2.0
"""Right end of the rate axis."""

MEAN_NOTE = (
    "Each point is the mean over the images that every codec has, of rate and of quality, at "
    "equal iteration (ours) or equal setting (the others); a setting that an image lacks, or that "
    "another one beats in bytes and quality, is left out. MS-SSIM in dB is −10 log10(1 − x) of "
    "the mean."
)


@dataclass(frozen=True)
class Series:
    """One line of the plot.

    Attributes:
        name: no two are equal.
        label: in the legend, under the heading of its kind.
        kind: ``ours``, ``baseline``, ``nominal`` or ``published``.
        mean: metric -> samples by increasing bpp.
        images: image -> metric -> samples; none for published curves.
        shown: whether it is drawn before anyone chooses.
        colour: index into :data:`rnncodec.evaluation.plots.COLOURS`; None for published curves.
        marker: as in matplotlib; "" for none.
        dash: as in SVG; "" for a solid line.
    """

    name: str
    label: str
    kind: str
    mean: dict[str, list[Sample]]
    images: dict[str, dict[str, list[Sample]]]
    shown: bool = True
    colour: int | None = None
    marker: str = ""
    dash: str = ""


def plot_data(results: Sequence[Result], published: Curves) -> dict[str, Any]:
    """What the script of the page draws from, as plain types."""
    metrics = metrics_of(results)
    return {
        "metrics": [asdict(style) for style in styles(metrics)],
        "images": sorted({row.image for row in results if row.bpp is not None}),
        "max_bpp": MAX_BPP,
        "mean_note": MEAN_NOTE,
        "series": [asdict(line) for line in all_series(results, published, metrics)],
    }


def codecs(results: Sequence[Result]) -> list[str]:
    """Their names in the table's order, which is that of their colours and markers."""
    return list(dict.fromkeys(result.codec for result in results))


def ours(results: Sequence[Result]) -> list[str]:
    """Those of the codecs that are our models."""
    return list(dict.fromkeys(row.codec for row in results if row.iteration is not None))


def all_series(
    results: Sequence[Result], published: Curves, metrics: Sequence[str]
) -> list[Series]:
    """Every line of the plot, with its looks.

    Of the published curves the first is shown at the start: all at once hide the measured ones.
    """
    tables = {metric: measure(results, metric) for metric in metrics}
    models = ours(results)
    lines = []
    for k, codec in enumerate(codecs(results)):
        mean = {
            metric: found
            for metric, table in tables.items()
            for found in table
            if found.codec == codec
        }
        rows = [row for row in results if row.codec == codec]
        kind = "ours" if codec in models else "baseline"
        lines.append(line(codec, kind, k, mean, rows))
        if codec in models:
            at_nominal = {metric: nominal(found) for metric, found in mean.items()}
            lines.append(line(codec, "nominal", k, at_nominal, rows))
    return lines + [
        published_line(name, k, curves) for k, (name, curves) in enumerate(published.items())
    ]


def line(
    codec: str, kind: str, place: int, mean: dict[str, RDPoints], rows: Sequence[Result]
) -> Series:
    """One measured codec; ``place`` gives its looks, as in the plots for print."""
    at_nominal = kind == "nominal"
    return Series(
        name=f"{codec}, nominal rate" if at_nominal else codec,
        label=codec,
        kind=kind,
        mean={metric: mean_samples(found) for metric, found in mean.items()},
        images={
            image: {
                metric: samples([row for row in rows if row.image == image], metric, at_nominal)
                for metric in mean
            }
            for image in dict.fromkeys(row.image for row in rows)
        },
        colour=place % len(COLOURS),
        marker=MARKERS[(place + place // len(COLOURS)) % len(MARKERS)],
        dash="1 3" if at_nominal else "",
    )


def mean_samples(found: RDPoints) -> list[Sample]:
    """The curve through the averages, with the settings' names."""
    points = found.labelled()
    if found.iterations is None:
        return points
    labels = dict(zip(found.settings, found.iterations, strict=True))
    return [(bpp, quality, f"iteration {labels[setting]}") for bpp, quality, setting in points]


def samples(rows: Sequence[Result], metric: str, at_nominal: bool = False) -> list[Sample]:
    """One image's curve; rows without the metric, and perfect pictures, are left out.

    So are settings that another one beats, as in the means.
    """
    found = []
    for row in rows:
        quality = value(row, metric)
        if row.bpp is None or quality is None or not math.isfinite(quality):
            continue
        if row.iteration is None:
            found.append((row.bpp, quality, row.setting))
        else:
            bpp = row.iteration / 8 if at_nominal else row.bpp
            found.append((bpp, quality, f"iteration {row.iteration}"))
    return sorted(found)


def published_line(
    name: str, place: int, by_metric: dict[str, list[tuple[float, float]]]
) -> Series:
    """A curve that others published."""
    mean = {
        metric: [(bpp, quality, "") for bpp, quality in curve]
        for metric, curve in with_decibel(by_metric).items()
    }
    dash = " ".join(f"{length * 1.4:g}" for length in DASHES[place % len(DASHES)])
    return Series(f"{name} (published)", name, "published", mean, {}, shown=place == 0, dash=dash)
