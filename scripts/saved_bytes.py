"""What a setting saves: bytes of its files over those of plain ones at equal quality.

    rnncodec evaluate --model compact-1 --adaptive mse --effort 4 --baselines none \
        --images photographs --out outputs/settings
    python scripts/saved_bytes.py outputs/settings/results.csv

Every file and every score are those of `rnncodec evaluate`. For each picture, the plain model's
bytes are interpolated (linearly, between its iterations) at the quality that the other file has
after the same number of iterations; the table has means over pictures, and the range in brackets.
A quality that no plain file reaches is left out.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rnncodec.evaluation.results import Result, read_results

Rows = dict[str, dict[str, Result]]
"""By picture and setting."""
QUALITIES = ("ms_ssim", "psnr_rgb")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--settings", default="t=4,t=6,t=8,t=12,t=16")
    asked = parser.parse_args()
    tables: dict[str, Rows] = defaultdict(lambda: defaultdict(dict))
    for row in read_results(asked.results):
        tables[row.codec][row.image][row.setting] = row
    print("| codec | setting | bytes | MS-SSIM | PSNR | at equal MS-SSIM | at equal PSNR |")
    print("|---|---|---|---|---|---|---|")
    for name, rows in tables.items():
        plain, _, how = name.partition("+")
        for setting in asked.settings.split(",") if how else []:
            print(line(name, setting, tables[plain], rows))
    for name, rows in tables.items():
        print(f"{name}: {seconds(rows)}")


def line(name: str, setting: str, plain: Rows, other: Rows) -> str:
    """One row of the table."""
    rows = [settings[setting] for settings in other.values()]
    means = [np.mean([row.record()[key] for row in rows]) for key in ("bytes", *QUALITIES)]
    gains = [
        np.array([saved(plain[row.image], row, quality) for row in rows]) for quality in QUALITIES
    ]
    cells = [name, setting, f"{means[0]:,.0f}", f"{means[1]:.4f}", f"{means[2]:.2f}"]
    return "| " + " | ".join([*cells, *map(in_words, gains)]) + " |"


def saved(plain: dict[str, Result], row: Result, quality: str) -> float:
    """Bytes over those of a plain file of this quality, less 1; NaN where there is none."""
    curve = sorted((each.bytes, each.values.get(quality, np.nan)) for each in plain.values())
    sizes, values = np.array(curve, float).T
    rising = np.maximum.accumulate(values)
    reached = row.values.get(quality, np.nan)
    if not rising[0] <= reached <= rising[-1]:
        return float("nan")
    assert row.bytes is not None
    return float(row.bytes / np.interp(reached, rising, sizes) - 1)


def in_words(gains: NDArray[np.float64]) -> str:
    """Mean and range of those that are numbers."""
    known = gains[~np.isnan(gains)]
    if not known.size:
        return ""
    count = "" if known.size == gains.size else f", {known.size} of {gains.size} pictures"
    mean, low, high = (f"{100 * x:+.1f}" for x in (known.mean(), known.min(), known.max()))
    return f"{mean} % ({low} .. {high}{count})"


def seconds(rows: Rows) -> str:
    """Encoding and decoding the whole file, mean over pictures."""
    last = [max(settings.values(), key=lambda row: row.bytes or 0) for settings in rows.values()]
    encode = np.mean([row.encode_s for row in last if row.encode_s is not None])
    decode = np.mean([row.decode_s for row in last if row.decode_s is not None])
    return f"encodes in {encode:.1f} s, decodes in {decode:.1f} s"


if __name__ == "__main__":
    main()
