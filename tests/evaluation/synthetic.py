"""Results of made-up codecs on made-up images, whose figures are known."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from rnncodec.evaluation.results import Result

IMAGES = 8


def codec(
    name: str,
    rates: Sequence[float],
    *,
    gain: float = 0.0,
    scale: float = 1.0,
    ours: bool = False,
    images: int = IMAGES,
) -> list[Result]:
    """PSNR-HVS 30 + gain + 8 log2(1 + rate) dB of the rates; files ``scale`` times as large.

    Images differ in rate and quality. MS-SSIM in dB is 20 lower than PSNR-HVS in dB.
    """
    rows = []
    for k in range(images):
        hard = 1 + 0.1 * np.sin(3.0 * k)
        for t, rate in enumerate(rates, start=1):
            decibel = 10 + gain + 8 * np.log2(1 + rate) + np.cos(5.0 * k)
            setting, iteration = (f"t={t}", t) if ours else (f"q={t}", None)
            what = (name, setting, f"image{k}", iteration, round(1e6 * rate))
            values = {
                "psnr_rgb": float(decibel + 18),
                "ms_ssim": float(1 - 10 ** (-decibel / 10)),
                "psnr_hvs": float(decibel + 20),
                "psnr_hvs_m": float(decibel + 22),
            }
            rows.append(Result(*what, float(scale * rate * hard), values, 0.1, 0.1))
    return rows


def failed(name: str, image: str, reason: str) -> Result:
    return Result(name, "", image, None, None, None, {}, reason=reason)


def changed(row: Result, **cells: Any) -> Result:
    """A row with other cells; a metric of None is taken away."""
    own = {field.name: cells.pop(field.name) for field in fields(Result) if field.name in cells}
    values = {
        name: value for name, value in ({**row.values, **cells}).items() if value is not None
    }
    return replace(row, **own, values=values)
