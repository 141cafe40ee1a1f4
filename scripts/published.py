"""Sets a measured curve beside a published one, as a table in Markdown.

    python scripts/published.py outputs/kodak/results.csv kodak_rd.csv

Points are means over images at equal setting; the published curve is interpolated linearly at
the measured rates. "Rate" is how much larger the measured files are where both curves have the
measured quality.
"""

import argparse
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from rnncodec.evaluation.curves import read_published
from rnncodec.evaluation.results import read_results

Curve = list[tuple[float, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("published", type=Path)
    parser.add_argument("--codec", default="jpeg-420")
    parser.add_argument("--curve", default="JPEG 4:2:0")
    parser.add_argument("--metric", default="ms_ssim")
    asked = parser.parse_args()
    curves = {(curve.codec, curve.metric): curve for curve in read_published(asked.published)}
    published = curves[asked.curve, asked.metric].samples
    inverse = sorted((value, bpp) for bpp, value in published)
    print(f"| setting | bpp | {asked.codec} | {asked.curve}, published | difference | rate |")
    print("|---|---|---|---|---|---|")
    for setting, bpp, value in measured(asked.results, asked.codec, asked.metric):
        expected, needed = interpolate(published, bpp), interpolate(inverse, value)
        if expected is not None and needed is not None:
            print(
                f"| {setting} | {bpp:.4f} | {value:.5f} | {expected:.5f} | "
                f"{value - expected:+.5f} | {bpp / needed - 1:+.1%} |".replace("%", " %")
            )


def measured(path: Path, codec: str, metric: str) -> list[tuple[str, float, float]]:
    """Setting, mean bpp and mean quality, by rate."""
    found: dict[str, Curve] = defaultdict(list)
    for result in read_results(path):
        value = result.values.get(metric)
        if result.codec == codec and result.bpp is not None and value is not None:
            found[result.setting].append((result.bpp, value))
    means = [(s, fmean(x for x, _ in c), fmean(y for _, y in c)) for s, c in found.items()]
    return sorted(means, key=lambda point: point[1])


def interpolate(curve: Curve, at: float) -> float | None:
    """The piecewise linear curve; None outside it."""
    for (x0, y0), (x1, y1) in pairwise(curve):
        if x0 <= at <= x1 and x1 > x0:
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return None


if __name__ == "__main__":
    main()
