"""How the page writes each metric: its title, its unit, its digits, its axis."""

import math
from dataclasses import dataclass

from rnncodec.evaluation.plots import TITLES
from rnncodec.evaluation.results import Result


@dataclass(frozen=True)
class MetricStyle:
    """How a metric is written.

    Attributes:
        key: its column in results.csv, or ``ms_ssim_db``, which follows from one.
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
    MetricStyle("ms_ssim_db", "MS-SSIM (dB)", " dB", 2),
    MetricStyle("psnr_rgb", TITLES["psnr_rgb"].replace(", RGB", " RGB"), " dB", 2),
    MetricStyle("psnr_hvs", TITLES["psnr_hvs"], " dB", 2),
    MetricStyle("psnr_hvs_m", TITLES["psnr_hvs_m"], " dB", 2),
    MetricStyle("ssim", TITLES["ssim"], near_one=True),
]


def styles(results: list[Result]) -> list[MetricStyle]:
    """The metrics that at least one row has, further ones last."""
    further = sorted({name for result in results for name in result.more})
    known = [*BUILT_IN, *(MetricStyle(name, name) for name in further)]
    return [style for style in known if any(value(row, style.key) is not None for row in results)]


def value(result: Result, key: str) -> float | None:
    """A metric of a row by its key; None where the row does not have it."""
    if key == "ms_ssim_db":
        return decibel(result.ms_ssim)
    if key in result.more:
        return result.more[key]
    found: float | None = getattr(result, key, None)
    return found


def decibel(similarity: float | None) -> float | None:
    """-10 log10(1 - x); infinite for 1, None for None.

    Examples:
        >>> decibel(0.99)
        20.0
    """
    if similarity is None:
        return None
    return round(-10 * math.log10(1 - similarity), 12) if similarity < 1 else math.inf
