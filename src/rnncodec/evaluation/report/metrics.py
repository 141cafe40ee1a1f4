"""How the page writes each metric: its title, its unit, its digits, its axis."""

from collections.abc import Iterable
from dataclasses import dataclass

from rnncodec.evaluation.measured import quality
from rnncodec.evaluation.metrics import DECIBEL, METRICS, decibels, described
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
