"""Figures of merit of any set of codecs, measured over the same images (section 4).

Everything is computed from the table of results: areas under the curves, Bjontegaard deltas
against an anchor, rates at equal quality, each with a 95 % bootstrap interval over images. A
figure that the data do not support is absent, and its reason stated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rnncodec.errors import ConfigError, DataError
from rnncodec.evaluation.curves import (
    HIGH,
    LOW,
    NOMINAL_ITERATIONS,
    mean_over,
    over_eighths,
    rate_at,
)
from rnncodec.evaluation.metrics import DECIBEL, METRICS
from rnncodec.evaluation.rd_points import (
    FILES,
    NOMINAL,
    Array,
    Failure,
    RDPoints,
    failures,
    measure,
    metrics_of,
    nominal,
)
from rnncodec.evaluation.results import Result
from rnncodec.evaluation.statistics import (
    Curves,
    Estimate,
    bd_metric,
    bd_rate,
    estimate,
    resamples,
)

NOT_BY_DELTA = ("ms_ssim",)
"""Metrics without Bjontegaard delta: MS-SSIM has its own in dB, which spreads it evenly."""


@dataclass(frozen=True)
class CodecMerits:
    """What one codec is worth, at the rates of its files or at nominal ones.

    Attributes:
        codec: its name.
        rates: ``file bytes``, or ``nominal``: k/8 bpp after iteration k.
        ours: whether it is one of our models.
        curves: by metric, (bpp, average quality) by rising rate.
        auc: by metric, the mean of its curve over [0.25, 1.5] bpp.
        auc_delta: by metric, the AUC minus the anchor's, with an interval of its own: paired.
        auc_nominal: by metric, the area over 0.125-2.0 bpp at nominal rates; ours at those only.
        bd_rate: by metric, percent against the anchor; negative is smaller files.
        bd_metric: by metric, against the anchor in the metric's unit; positive is better.
        rate_at: by metric and level, the bpp at which the curve first reaches it.
    """

    codec: str
    rates: str
    ours: bool
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
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
class Merits:
    """What all codecs of a table are worth.

    Attributes:
        anchor: the codec that the deltas are taken against, or None: there are none.
        codecs: in the table's order, our models at both rates.
        images: by metric, those that the averages are over: the same for every codec.
        failures: rows without picture or quality, which no average contains.
        notes: what a reader has to know, in sentences.
        absent: those of the notes that say what averages leave out; the others are on failures.
    """

    anchor: str | None
    codecs: list[CodecMerits]
    images: dict[str, tuple[str, ...]]
    failures: list[Failure]
    notes: list[str]
    absent: list[str] = field(default_factory=list)

    def of(self, codec: str, rates: str = FILES) -> CodecMerits:
        """One of the codecs.

        Raises:
            ConfigError: there is none of this name and these rates.
        """
        for found in self.codecs:
            if (found.codec, found.rates) == (codec, rates):
                return found
        known = ", ".join(found.name for found in self.codecs)
        raise ConfigError(f"no curve of {codec} at {rates}; there are {known or 'none'}")


def merits(results: Sequence[Result], anchor: str | None = None) -> Merits:
    """All figures of merit of all codecs.

    Args:
        results: the table; any codecs, in any order.
        anchor: the codec to take differences of areas and Bjontegaard deltas against.

    Raises:
        ConfigError: the anchor is not among the codecs.
        DataError: a table without results; two rows for one point; a rate that is not positive.
    """
    if not results:
        raise DataError("no results: expected at least one row; evaluate a codec first")
    names = list(dict.fromkeys(result.codec for result in results))
    if anchor is not None and anchor not in names:
        raise ConfigError(f"anchor {anchor!r}: not among the codecs {', '.join(names)}")
    tables = {metric: measure(results, metric) for metric in metrics_of(results)}
    ours = {result.codec for result in results if result.iteration is not None}
    found = {
        (name, rates): CodecMerits(name, rates, name in ours)
        for name in names
        for rates in ((FILES, NOMINAL) if name in ours else (FILES,))
    }
    for metric, table in tables.items():
        fill(found, metric, table, anchor)
    images = {metric: table[0].images for metric, table in tables.items()}
    failed = failures(results)
    absent = [
        *notes_on_images(results, images),
        *notes_on_settings(tables),
        *notes_on_beaten(tables),
    ]
    notes = [*absent, *notes_on_failures(failed, names, tables)]
    return Merits(anchor, list(found.values()), images, failed, notes, absent)


def fill(
    found: dict[tuple[str, str], CodecMerits],
    metric: str,
    table: Sequence[RDPoints],
    anchor: str | None,
) -> None:
    """Enter one metric's curves and figures."""
    if not table[0].images:
        return
    weights = resamples(len(table[0].images))
    against = [Curves(*codec.curves(weights)) for codec in table if codec.codec == anchor]
    both = [*table, *(nominal(codec) for codec in table if codec.iterations is not None)]
    for codec in both:
        entry = found[codec.codec, codec.rates]
        entry.curves[metric] = codec.samples()
        bpp, value = codec.curves(weights)
        entry.auc[metric] = area(Curves(bpp, value), len(codec.images))
        if codec.rates == NOMINAL:
            entry.auc_nominal[metric] = nominal_area(value, codec)
        if metric in METRICS and (levels := METRICS[metric].levels):
            entry.rate_at[metric] = {level: rate_of(bpp, value, codec, level) for level in levels}
        if against and codec.codec != anchor:
            fill_deltas(entry, metric, (against[0], Curves(bpp, value)), len(codec.images))


def fill_deltas(entry: CodecMerits, metric: str, pair: tuple[Curves, Curves], images: int) -> None:
    """Enter what an anchor's and a codec's curves of one metric differ by."""
    entry.auc_delta[metric] = area_delta(*pair, images)
    if metric not in NOT_BY_DELTA:
        entry.bd_rate[metric] = bd_rate(*pair, images)
        entry.bd_metric[metric] = bd_metric(*pair, images)


def area(curves: Curves, images: int) -> Estimate:
    """AUC [0.25, 1.5]."""
    return estimate(areas(curves), images, reason=uncovered("the curve", curves))


def area_delta(anchor: Curves, test: Curves, images: int) -> Estimate:
    """AUC of ``test`` minus that of ``anchor``, resample by resample: both of the same images."""
    both = (("the anchor's curve", anchor), ("the curve", test))
    lacking = [uncovered(*each) for each in both if np.isnan(areas(each[1])[0])]
    return estimate(areas(test) - areas(anchor), images, reason="; ".join(lacking))


def areas(curves: Curves) -> Array:
    """(R,) AUCs, NaN where a curve does not cover the range."""
    return mean_over(curves.bpp, curves.value, LOW, HIGH)


def uncovered(whose: str, curves: Curves) -> str:
    """Why the curve over all images has no AUC, if it has none."""
    bpp = curves.bpp[0]
    if not bpp.size:
        return f"{whose} has no points, so it does not cover {LOW}-{HIGH} bpp"
    return f"{whose} covers {bpp[0]:.3f}-{bpp[-1]:.3f} bpp, not {LOW}-{HIGH}"


def nominal_area(value: Array, codec: RDPoints) -> Estimate:
    """AUC nominal, of (R, P) qualities after the iterations of ``codec``."""
    has = codec.iterations or ()
    there = len({k for k in has if k <= NOMINAL_ITERATIONS})
    reason = f"iterations 1-16 are needed; {there} of them are there"
    return estimate(over_eighths(has, value), len(codec.images), reason=reason)


def rate_of(bpp: Array, value: Array, codec: RDPoints, level: float) -> Estimate:
    """The rate at which (R, P) curves reach a level."""
    reason = "the curve has no points"
    if bpp.shape[1] and value[0, 0] > level:
        reason = f"{value[0, 0]:.4g} already at its lowest rate, {bpp[0, 0]:.3f} bpp"
    elif bpp.shape[1]:
        reason = f"no more than {value[0].max():.4g} up to {bpp[0, -1]:.3f} bpp"
    return estimate(rate_at(bpp, value, level), len(codec.images), reason=reason)


def notes_on_images(results: Sequence[Result], images: Mapping[str, tuple[str, ...]]) -> list[str]:
    """One sentence for each set of images that an average leaves out."""
    every = {result.image for result in results}
    by_absent: dict[tuple[str, ...], list[str]] = {}
    for metric, used in images.items():
        if absent := tuple(sorted(every - set(used))):
            by_absent.setdefault(absent, []).append(metric)
    return [
        f"{', '.join(metrics)}: averages are over the {len(every) - len(absent)} of {len(every)} "
        f"images that every codec has; left out: {shortened(absent)}"
        for absent, metrics in by_absent.items()
    ]


def notes_on_settings(tables: Mapping[str, Sequence[RDPoints]]) -> list[str]:
    """One sentence for each codec and set of settings that its averages leave out."""
    by_settings: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for metric, table in tables.items():
        for codec in table:
            if codec.left_out:
                by_settings.setdefault((codec.codec, codec.left_out), []).append(metric)
    return [
        f"{codec}, {', '.join(metrics)}: left out, since an image lacks them or is perfect there "
        f"(its decibels infinite): {shortened(settings)}"
        for (codec, settings), metrics in by_settings.items()
    ]


def notes_on_beaten(tables: Mapping[str, Sequence[RDPoints]]) -> list[str]:
    """One sentence for each codec of which an image has points that another setting beats."""
    by_codec: dict[str, dict[str, list[str]]] = {}
    for metric, table in tables.items():
        for codec in table:
            if codec.beaten:
                told = shortened([f"{setting} ({n})" for setting, n in codec.beaten.items()])
                by_codec.setdefault(codec.codec, {}).setdefault(told, []).append(metric)
    return [
        f"{codec}: left out for another of its settings that takes no more bytes and is better "
        "(on how many images): "
        + "; ".join(f"{told} by {', '.join(metrics)}" for told, metrics in beaten.items())
        for codec, beaten in by_codec.items()
    ]


def notes_on_failures(
    failed: Sequence[Failure], names: Sequence[str], tables: Mapping[str, Sequence[RDPoints]]
) -> list[str]:
    """What is absent from the averages, and why."""
    rows = [
        f"{f.codec}, {f.image}: {f.rows} row{'s' if f.rows > 1 else ''} without picture or with "
        f"metrics missing: {f.reason}"
        for f in failed
    ]
    measured = {codec.codec for table in tables.values() for codec in table}
    return rows + [f"{name}: nothing was measured" for name in names if name not in measured]


def shortened(names: Sequence[str], most: int = 6) -> str:
    """A list of names that stays readable.

    Examples:
        >>> shortened(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
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
