"""From results.csv and published curves to what the plot of the page draws."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any, TypeAlias

from rnncodec.evaluation import plots
from rnncodec.evaluation.report.metrics import decibel, styles, value
from rnncodec.evaluation.results import Result

Sample: TypeAlias = tuple[float, float, str]
"""bpp, value, and what was asked of the codec there."""

MAX_BPP = 2.0
"""Right end of the rate axis."""

MEAN_NOTE = (
    "Each point is the mean over the images, of rate and of quality, at equal iteration (ours) or "
    "equal setting (the others). A point that some image lacks is left out."
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
        colour: index into :data:`rnncodec.evaluation.plots.COLOURS`.
        marker: as in matplotlib; unused for published curves.
        dash: as in SVG; "" for a solid line.
    """

    name: str
    label: str
    kind: str
    mean: dict[str, list[Sample]]
    images: dict[str, dict[str, list[Sample]]]
    shown: bool = True
    colour: int = 0
    marker: str = "o"
    dash: str = ""


def by_codec(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The rows of each codec: our models first, the others after them, in the table's order."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in sorted(results, key=lambda result: result.iteration is None):
        groups[result.codec].append(result)
    return groups


def is_ours(rows: Sequence[Result]) -> bool:
    """Whether these rows are those of one of our models."""
    return any(row.iteration is not None for row in rows)


def samples(rows: Sequence[Result], metric: str) -> list[Sample]:
    """One image's curve; rows without the metric, and perfect pictures, are left out."""
    found = [
        (row.bpp, quality, label(row))
        for row in rows
        if row.bpp is not None
        and (quality := value(row, metric)) is not None
        and math.isfinite(quality)
    ]
    return sorted(found)


def mean_samples(rows: Sequence[Result], metric: str) -> list[Sample]:
    """The mean curve over the images that have the metric, at the settings that all of them have.

    Rate and quality are averaged over the same images. A setting where some image is perfect,
    and its decibels infinite, is left out.
    """
    having = [row for row in rows if row.bpp is not None and value(row, metric) is not None]
    images = {row.image for row in having}
    groups: dict[str, list[Result]] = defaultdict(list)
    for row in having:
        groups[row.setting].append(row)
    found = []
    for group in groups.values():
        quality = fmean(value(row, metric) or 0.0 for row in group)
        if len(group) == len(images) and math.isfinite(quality):
            found.append((fmean(row.bpp or 0.0 for row in group), quality, label(group[0])))
    return sorted(found)


def label(row: Result) -> str:
    """What was asked, for people."""
    return f"iteration {row.iteration}" if row.iteration is not None else row.setting


def measured(name: str, rows: Sequence[Result], metrics: Sequence[str]) -> Series:
    """One codec as measured from file bytes."""
    kind = "ours" if is_ours(rows) else "baseline"
    images = {
        image: {metric: samples(own, metric) for metric in metrics}
        for image in dict.fromkeys(row.image for row in rows)
        if (own := [row for row in rows if row.image == image])
    }
    return Series(name, name, kind, {m: mean_samples(rows, m) for m in metrics}, images)


def nominal(rows: Sequence[Result]) -> list[Result]:
    """The same pictures at iteration / 8 bpp: as if nothing were entropy coded."""
    return [
        replace(row, bpp=row.iteration / 8)
        for row in rows
        if row.iteration is not None and row.bpp is not None
    ]


def published_series(name: str, by_metric: dict[str, list[tuple[float, float]]]) -> Series:
    """A curve that others published; a decibel scale of MS-SSIM follows from its values."""
    mean = {metric: [(*sample, "") for sample in curve] for metric, curve in by_metric.items()}
    in_decibel = [
        (bpp, quality, "")
        for bpp, similarity in by_metric.get("ms_ssim", [])
        if (quality := decibel(similarity)) is not None and math.isfinite(quality)
    ]
    if in_decibel:
        mean["ms_ssim_db"] = in_decibel
    return Series(f"{name} (published)", name, "published", mean, {})


def all_series(
    results: Sequence[Result], published: plots.Curves, metrics: Sequence[str]
) -> list[Series]:
    """Every line of the plot, with its looks.

    Of the published curves the first is shown at the start: all at once hide the measured ones.
    """
    solid, dashed = [], []
    for k, (name, rows) in enumerate(by_codec(results).items()):
        colour, marker = k % len(plots.COLOURS), plots.MARKERS[k % len(plots.MARKERS)]
        lines = [measured(name, rows, metrics)]
        if is_ours(rows):
            at_nominal = measured(f"{name}, nominal rate", nominal(rows), metrics)
            lines.append(replace(at_nominal, label=name, kind="nominal", dash="1 3"))
        solid += [replace(line, colour=colour, marker=marker) for line in lines]
    for k, (name, curves) in enumerate(published.items()):
        colour = (len(by_codec(results)) + k) % len(plots.COLOURS)
        dash = " ".join(f"{length * 1.4:g}" for length in plots.DASHES[k % len(plots.DASHES)])
        series = published_series(name, curves)
        dashed.append(replace(series, colour=colour, dash=dash, shown=k == 0))
    return [*solid, *dashed]


def plot_data(results: list[Result], published: plots.Curves) -> dict[str, Any]:
    """What the script of the page draws from, as plain types."""
    metrics = styles(results)
    lines = all_series(results, published, [metric.key for metric in metrics])
    return {
        "metrics": [asdict(metric) for metric in metrics],
        "images": sorted({row.image for row in results if row.bpp is not None}),
        "max_bpp": MAX_BPP,
        "mean_note": MEAN_NOTE,
        "series": [asdict(line) for line in lines],
    }
