"""Figures of any set of codecs, measured over the same images, and their file (section 4).

Areas under the curves, Bjontegaard deltas against an anchor and rates at equal quality, each with
a 95 % bootstrap interval over images. A figure that the data do not support is absent, and its
reason stated. ``results.json`` of `rnncodec evaluate` and ``summary.json`` of a run are one
schema, :func:`summary_json`; :func:`read_summary` reads these and those of earlier versions.
"""

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from rnncodec.errors import ConfigError, DataError
from rnncodec.evaluation.curves import FILES, HIGH, LOW, NOMINAL, NOMINAL_ITERATIONS, RDCurve
from rnncodec.evaluation.metrics import DECIBEL, METRICS, described
from rnncodec.evaluation.rd_points import Failure, RDPoints, failures, metrics_of, rd_points
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.statistics import (
    RESAMPLES,
    SEED,
    Estimate,
    bd_metric,
    bd_rate,
    estimate,
    resamples,
)
from rnncodec.version import __version__

NOT_BY_DELTA = ("ms_ssim",)
"""Metrics without Bjontegaard delta: MS-SSIM has its own in dB, which spreads it evenly."""


@dataclass(frozen=True)
class CodecSummary:
    """The figures of one codec (``ours`` or not), by metric, at ``FILES`` or ``NOMINAL`` rates.

    Attributes:
        curves: the average over images.
        auc: the mean of its curve over [0.25, 1.5] bpp.
        auc_delta: the AUC minus the anchor's, with an interval of its own: paired.
        auc_nominal: the area over 0.125-2.0 bpp at nominal rates; ours at those only.
        bd_rate: percent against the anchor; negative is smaller files.
        bd_metric: against the anchor in the metric's unit; positive is better.
        rate_at: by level, the bpp at which the curve first reaches it.
    """

    codec: str
    rates: str
    ours: bool
    curves: dict[str, RDCurve] = field(default_factory=dict)
    auc: dict[str, Estimate] = field(default_factory=dict)
    auc_delta: dict[str, Estimate] = field(default_factory=dict)
    auc_nominal: dict[str, Estimate] = field(default_factory=dict)
    bd_rate: dict[str, Estimate] = field(default_factory=dict)
    bd_metric: dict[str, Estimate] = field(default_factory=dict)
    rate_at: dict[str, dict[float, Estimate]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The codec, and its rates if they are not those of files."""
        return self.codec if self.rates == FILES else f"{self.codec}, nominal rate"


@dataclass(frozen=True)
class Summary:
    """The figures of all codecs of a table.

    Attributes:
        anchor: the codec that the deltas are taken against, or None: there are none.
        codecs: in the table's order, our models at both rates.
        images: by metric, those that the averages are over: the same for every codec.
        failures: rows without picture or quality, which no average contains.
        notes: what a reader has to know, in sentences.
        absent: those of the notes that say what averages leave out; the others are on failures.
        conventions: what decoded and measured, and how, where that is known: a line of tables.
    """

    anchor: str | None
    codecs: list[CodecSummary]
    images: dict[str, tuple[str, ...]]
    failures: list[Failure]
    notes: list[str]
    absent: list[str] = field(default_factory=list)
    conventions: str = ""

    def of(self, codec: str, rates: str = FILES) -> CodecSummary:
        """One of the codecs; ConfigError if there is none of this name and these rates."""
        for found in self.codecs:
            if (found.codec, found.rates) == (codec, rates):
                return found
        known = ", ".join(found.name for found in self.codecs)
        raise ConfigError(f"no curve of {codec} at {rates}; there are {known or 'none'}")

    @property
    def curves(self) -> list[RDCurve]:
        """All curves, codec by codec."""
        return [curve for entry in self.codecs for curve in entry.curves.values()]


def summarize(results: Sequence[Result], anchor: str | None = None) -> Summary:
    """All figures of all codecs, in any order; differences are against the anchor.

    Raises:
        ConfigError: the anchor is not among the codecs.
        DataError: a table without results; two rows for one point; a rate that is not positive.
    """
    if not results:
        raise DataError("no results: expected at least one row; evaluate a codec first")
    names = list(dict.fromkeys(result.codec for result in results))
    if anchor is not None and anchor not in names:
        raise ConfigError(f"anchor {anchor!r}: not among the codecs {', '.join(names)}")
    tables = {metric: rd_points(results, metric) for metric in metrics_of(results)}
    ours = {result.codec for result in results if result.iteration is not None}
    found = {
        (name, rates): CodecSummary(name, rates, name in ours)
        for name in names
        for rates in ((FILES, NOMINAL) if name in ours else (FILES,))
    }
    for metric, table in tables.items():
        add_figures(found, metric, table, anchor)
    images = {metric: table[0].images for metric, table in tables.items()}
    failed = failures(results)
    absent = list(notes_on(results, tables))
    rows = [
        f"{f.codec}, {f.image}: {f.rows} row{'s' if f.rows > 1 else ''} without picture or with "
        f"metrics missing: {f.reason}"
        for f in failed
    ]
    measured = {codec.codec for table in tables.values() for codec in table}
    empty = [f"{name}: nothing was measured" for name in names if name not in measured]
    return Summary(anchor, list(found.values()), images, failed, [*absent, *rows, *empty], absent)


def add_figures(
    found: dict[tuple[str, str], CodecSummary],
    metric: str,
    table: Sequence[RDPoints],
    anchor: str | None,
) -> None:
    """Enter one metric's curves and figures."""
    if not (images := len(table[0].images)):
        return
    weights = resamples(images)
    base = next((codec.curve(weights) for codec in table if codec.codec == anchor), None)
    nominal = [codec.at_nominal_rates() for codec in table if codec.iterations is not None]
    for points in (*table, *nominal):
        entry, curve = found[points.codec, points.rates], points.curve(weights)
        entry.curves[metric] = points.curve()
        area = curve.area()
        entry.auc[metric] = estimate(area, images, reason=uncovered("the curve", curve))
        if points.rates == NOMINAL:
            there = sum(k <= NOMINAL_ITERATIONS for k in points.iterations or ())
            reason = f"iterations 1-16 are needed; {there} of them are there"
            entry.auc_nominal[metric] = estimate(curve.nominal_area(), images, reason=reason)
        if metric != DECIBEL and (levels := described(metric).levels):
            entry.rate_at[metric] = {
                level: estimate(curve.rate_at(level), images, reason=unreached(curve, level))
                for level in levels
            }
        if base is None or points.codec == anchor:
            continue
        both = (("the anchor's curve", base), ("the curve", curve))
        lacking = [uncovered(*each) for each in both if np.isnan(each[1].area()[0])]
        entry.auc_delta[metric] = estimate(area - base.area(), images, reason="; ".join(lacking))
        if metric not in NOT_BY_DELTA:
            entry.bd_rate[metric] = bd_rate(base, curve, images)
            entry.bd_metric[metric] = bd_metric(base, curve, images)


def uncovered(whose: str, curve: RDCurve) -> str:
    """Why the curve over all images has no AUC, if it has none."""
    bpp = curve.bpp[0]
    if not bpp.size:
        return f"{whose} has no points, so it does not cover {LOW}-{HIGH} bpp"
    return f"{whose} covers {bpp[0]:.3f}-{bpp[-1]:.3f} bpp, not {LOW}-{HIGH}"


def unreached(curve: RDCurve, level: float) -> str:
    """Why the curve over all images has no rate at a level, if it has none."""
    bpp, quality = curve.bpp[0], curve.quality[0]
    if not bpp.size:
        return "the curve has no points"
    if quality[0] > level:
        return f"{quality[0]:.4g} already at its lowest rate, {bpp[0]:.3f} bpp"
    return f"no more than {quality.max():.4g} up to {bpp[-1]:.3f} bpp"


def notes_on(results: Sequence[Result], tables: Mapping[str, Sequence[RDPoints]]) -> Iterator[str]:
    """A sentence for each set of images, and each codec's settings, that averages leave out."""
    every = {result.image for result in results}
    absent: dict[tuple[str, ...], list[str]] = {}
    left_out: dict[tuple[str, str], list[str]] = {}
    dominated: dict[str, dict[str, list[str]]] = {}
    for metric, table in tables.items():
        if images := tuple(sorted(every - set(table[0].images))):
            absent.setdefault(images, []).append(metric)
        for codec in table:
            if codec.left_out:
                key = codec.codec, shortened(codec.left_out)
                left_out.setdefault(key, []).append(metric)
            if codec.dominated:
                which = shortened([f"{setting} ({n})" for setting, n in codec.dominated.items()])
                dominated.setdefault(codec.codec, {}).setdefault(which, []).append(metric)
    for images, metrics in absent.items():
        yield (
            f"{', '.join(metrics)}: averages are over the {len(every) - len(images)} of "
            f"{len(every)} images that every codec has; left out: {shortened(images)}"
        )
    for (name, settings), metrics in left_out.items():
        yield (
            f"{name}, {', '.join(metrics)}: left out, since an image lacks them or is perfect "
            f"there (its decibels infinite): {settings}"
        )
    for name, by_settings in dominated.items():
        yield (
            f"{name}: left out for another of its settings that takes no more bytes and is better "
            "(on how many images): "
            + "; ".join(
                f"{which} by {', '.join(metrics)}" for which, metrics in by_settings.items()
            )
        )


def shortened(names: Sequence[str], most: int = 6) -> str:
    """A list of names that stays readable: ``a, b and 1 more``."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


RULES: Mapping[str, str] = {
    "auc": f"mean of the piecewise linear curve over [{LOW}, {HIGH}] bpp",
    "auc_delta": "AUC minus the anchor's, in each resample of the images",
    "auc_nominal": "trapezoid over 0.125-2.0 bpp at iteration / 8 bpp, not divided by the range",
    DECIBEL: "-10 log10(1 - x) of the MS-SSIM averaged over images",
    "bd_rate": "percent of file size against the anchor at equal quality, negative is smaller; "
    "library bjontegaard, pchip of log10 rate over quality, over the range that both curves "
    "cover; points that are no better than a cheaper one are left out",
    "bd_metric": "quality against the anchor at equal rate; library bjontegaard, pchip over log10 "
    "rate, over the range that both curves cover",
    "rate_at": "bpp at which the piecewise linear curve first reaches the level",
    "curves": "averages over images at equal iteration (ours) or setting (others); of the others "
    "the lower left envelope, metric by metric: on each image, and among the averages, a setting "
    "that another one beats (no more bytes, better quality) gives way to it; results.csv has all",
    "intervals": "95 %, percentile bootstrap over images, paired across codecs",
}
"""How each figure is made, for results.json and the report."""

LIBRARIES = (
    *("bjontegaard", "matplotlib", "numpy", "pillow", "pillow-jxl-plugin", "psnr-hvsm"),
    *("scikit-image", "scipy", "torch", "torchmetrics"),
)


def provenance() -> dict[str, Any]:
    """Versions of what figures come from; libraries that are not installed are absent."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"rnncodec": __version__, "versions": versions}


def summary_json(summary: Summary, identities: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What results.json and summary.json hold, as plain data.

    ``identities`` say what each codec is exactly: a model's fingerprint, a library's version.
    """
    return {
        "provenance": provenance() | {"codecs": dict(identities or {})},
        "rules": dict(RULES),
        "bootstrap": {"resamples": RESAMPLES, "seed": SEED, "over": "images", "paired": True},
        "anchor": summary.anchor,
        "images": {metric: list(names) for metric, names in summary.images.items()},
        "image_count": {metric: len(names) for metric, names in summary.images.items()},
        "notes": summary.notes,
        "failures": [vars(failure) for failure in summary.failures],
        "codecs": [codec_json(entry, summary) for entry in summary.codecs],
    }


def codec_json(entry: CodecSummary, summary: Summary) -> dict[str, Any]:
    """One codec as plain data; beside each of its rates the anchor's, if there is an anchor."""
    base = {} if summary.anchor is None else summary.of(summary.anchor).rate_at
    found: dict[str, Any] = {"codec": entry.codec, "rates": entry.rates, "ours": entry.ours}
    for name in ("auc", "auc_delta", "auc_nominal", "bd_rate", "bd_metric"):
        found[name] = {metric: figure.plain() for metric, figure in getattr(entry, name).items()}
    found["rate_at"] = [
        {"metric": metric, "level": level, **figure.plain()}
        | ({"anchor": base[metric][level].value} if metric in base else {})
        for metric, levels in entry.rate_at.items()
        for level, figure in levels.items()
    ]
    curves = entry.curves.items()
    found["curves"] = {
        metric: [list(point) for point in curve.samples] for metric, curve in curves
    }
    return found


def read_summary(path: Path) -> dict[str, Any]:
    """Read results.json or summary.json of this version or an earlier one.

    The first form of summary.json is handed on in today's, at the rates of files, over all
    images; without intervals, which it did not have.

    Raises:
        DataError: it is not what an evaluation writes.
    """
    try:
        old: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if "curve" not in old:
            return old
        metrics = dict.fromkeys(name for row in old["curve"] for name in row if name in METRICS)
        codec: dict[str, Any] = {"codec": "this run", "rates": FILES, "ours": True}
        for key, name in (("auc", f"[{LOW}, {HIGH}]"), ("auc_nominal", "nominal")):
            areas = {metric: old["auc"].get(f"{metric} AUC {name}") for metric in metrics}
            codec[key] = {metric: {"value": a["value"]} for metric, a in areas.items() if a}
        codec["curves"] = {
            metric: [[row["bpp"], row[metric]] for row in old["curve"] if metric in row]
            for metric in metrics
        }
        return {
            "anchor": None,
            "image_count": {m: old["images"] - old["absent"].get(m, 0) for m in metrics},
            "failures": [
                {"codec": "this run", "image": image, "rows": 1, "reason": reason}
                for image, reason in old.get("failed", {}).items()
            ],
            "codecs": [codec],
            **{key: old[key] for key in ("model", "entropy") if key in old},
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: damaged ({error!r}); remove it and repeat the run") from error


def named_areas(summary: Mapping[str, Any]) -> dict[str, float]:
    """The areas of the only model of a summary that was read, named with their rule."""
    found = {}
    for entry in summary["codecs"]:
        ranged = entry["auc"] if entry["rates"] == FILES else {}
        for name, areas in ((f"[{LOW}, {HIGH}]", ranged), ("nominal", entry["auc_nominal"])):
            for metric, area in areas.items():
                if "value" in area:
                    found[f"{metric} AUC {name}"] = area["value"]
    return found
