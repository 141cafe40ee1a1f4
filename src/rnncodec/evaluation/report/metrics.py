"""How the page writes each metric: its title, its unit, its digits, its axis."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from rnncodec.evaluation.measured import DECIBEL, quality
from rnncodec.evaluation.plots import TITLES
from rnncodec.evaluation.results import Result


@dataclass(frozen=True)
class MetricStyle:
    """How a metric is written.

    Attributes:
        key: its column in results.csv, or :data:`rnncodec.evaluation.measured.DECIBEL`.
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


BUILT_IN = [
    MetricStyle("ms_ssim", TITLES["ms_ssim"], near_one=True),
    MetricStyle(DECIBEL, "MS-SSIM (dB)", " dB", 2),
    MetricStyle("psnr_rgb", "PSNR RGB (dB)", " dB", 2),
    MetricStyle("psnr_hvs", TITLES["psnr_hvs"], " dB", 2),
    MetricStyle("psnr_hvs_m", TITLES["psnr_hvs_m"], " dB", 2),
    MetricStyle("ssim", TITLES["ssim"], near_one=True),
]


def styles(metrics: Iterable[str]) -> list[MetricStyle]:
    """How to write these metrics, further ones last.

    Examples:
        >>> [style.title for style in styles(["vif", "psnr_rgb"])]
        ['PSNR RGB (dB)', 'vif']
    """
    wanted = list(metrics)
    known = [style for style in BUILT_IN if style.key in wanted]
    return known + [
        MetricStyle(name, name) for name in wanted if name not in {style.key for style in BUILT_IN}
    ]


def value(result: Result, metric: str) -> float | None:
    """A metric of one row; None where the row does not have it, infinite decibels of 1."""
    found = quality(result, metric)
    if found is None or metric != DECIBEL:
        return found
    return -10 * math.log10(1 - found) if found < 1 else math.inf
