"""Results of made-up codecs on made-up images, whose figures are known."""

from collections.abc import Sequence

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
            rows.append(
                Result(
                    *(name, f"t={t}" if ours else f"q={t}", f"image{k}", t if ours else None),
                    *(round(1e6 * rate), float(scale * rate * hard)),
                    *(float(decibel + 18), None, float(1 - 10 ** (-decibel / 10))),
                    *(float(decibel + 20), float(decibel + 22), 0.1, 0.1),
                )
            )
    return rows


def failed(name: str, image: str, reason: str) -> Result:
    return Result(name, "", image, *[None] * 10, reason=reason)
