"""From the table of results, its summary and published curves to what the page's plot draws."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from rnncodec.evaluation.curves import FILES, RDCurve, with_decibels
from rnncodec.evaluation.metrics import DECIBEL, METRICS, decibels, described
from rnncodec.evaluation.plots import COLOURS, DASHES, MARKERS
from rnncodec.evaluation.rd_points import metrics_of
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.summary import Summary

FIRST = ("ms_ssim", DECIBEL, "psnr_rgb", "psnr_hvs", "psnr_hvs_m", "ssim")
"""The order of the page; other metrics come after these."""

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


def metric_styles(metrics: Iterable[str]) -> list[dict[str, Any]]:
    """How to write these metrics: first those of :data:`FIRST`, then registered ones.

    Of each: key (as in results.csv, or ``DECIBEL``), title (with its unit), unit (after a value,
    with a space), digits (after the point), and near_one: whether it crowds just below 1, where
    an axis spaced by -10 log10(1 - x) helps.

    Examples:
        >>> [style["title"] for style in metric_styles(["vif", "psnr_rgb"])]
        ['PSNR RGB (dB)', 'vif']
    """
    wanted = list(metrics)
    order = [name for name in dict.fromkeys([*FIRST, *METRICS, *wanted]) if name in wanted]
    return [
        {
            "key": name,
            "title": (metric := described(name)).heading,
            "unit": f" {metric.unit}" if metric.unit else "",
            "digits": metric.digits,
            "near_one": metric.near_one,
        }
        for name in order
    ]


def value(result: Result, metric: str) -> float | None:
    """A metric of one row; None where the row does not have it, infinite decibels of 1."""
    if metric != DECIBEL:
        return result.values.get(metric)
    found = result.values.get("ms_ssim")
    return None if found is None else float(decibels(found))


def plot_data(
    results: Sequence[Result], summary: Summary, published: Sequence[RDCurve] = ()
) -> dict[str, Any]:
    """What the script of the page draws from, as plain types."""
    return {
        "metrics": metric_styles(metrics_of(results)),
        "images": sorted({row.image for row in results if row.bpp is not None}),
        "max_bpp": MAX_BPP,
        "mean_note": MEAN_NOTE,
        "series": all_series(results, summary, published),
    }


def all_series(
    results: Sequence[Result], summary: Summary, published: Sequence[RDCurve] = ()
) -> list[dict[str, Any]]:
    """Every line of the plot: its curves and looks, as plain types.

    Of each: name (no two are equal), label (in the legend, under its kind's heading), kind
    (``ours``, ``baseline``, ``nominal`` or ``published``), mean (metric -> samples by rising
    bpp), images (image -> the same; none for published curves), shown (whether it is drawn before
    anyone chooses), colour (index into the palette, or None), marker (as matplotlib's; or "") and
    dash (as in SVG; "" for a solid line). Measured codecs look as in the plots for print. Of the
    published curves the first is shown at the start: all at once hide the measured ones.
    """
    places = {codec: k for k, codec in enumerate(dict.fromkeys(row.codec for row in results))}
    lines: list[dict[str, Any]] = []
    for entry in summary.codecs:
        place, nominal = places[entry.codec], entry.rates != FILES
        rows = [row for row in results if row.codec == entry.codec]
        by_image: dict[str, list[Result]] = {}
        for row in rows:
            by_image.setdefault(row.image, []).append(row)
        lines.append(
            {
                "name": entry.name,
                "label": entry.codec,
                "kind": "nominal" if nominal else "ours" if entry.ours else "baseline",
                "mean": {metric: curve.labelled for metric, curve in entry.curves.items()},
                "images": {
                    image: {m: samples(own, m, nominal) for m in entry.curves}
                    for image, own in by_image.items()
                },
                "shown": True,
                "colour": place % len(COLOURS),
                "marker": MARKERS[(place + place // len(COLOURS)) % len(MARKERS)],
                "dash": "1 3" if nominal else "",
            }
        )
    others: dict[str, dict[str, list[Sample]]] = {}
    for curve in with_decibels(published):
        others.setdefault(curve.codec, {})[curve.metric] = curve.labelled
    for k, (codec, mean) in enumerate(others.items()):
        line: dict[str, Any] = {
            "name": f"{codec} (published)",
            "label": codec,
            "kind": "published",
            "mean": mean,
        }
        dash = " ".join(f"{length * 1.4:g}" for length in DASHES[k % len(DASHES)])
        looks = {"images": {}, "shown": k == 0, "colour": None, "marker": "", "dash": dash}
        lines.append(line | looks)
    return lines


def samples(rows: Sequence[Result], metric: str, at_nominal: bool = False) -> list[Sample]:
    """One image's curve; rows without the metric, and perfect pictures, are left out."""
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
