"""Training losses and held-out scores of training pieces that went on from each other.

python scripts/figures/learning_curve.py PICTURE.png RUN [RUN ...]   (run directories, in order)
"""

import argparse
import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

WINDOW = 20
"""Logged losses that are averaged; one batch each, every tenth step."""
SHOWN = (1, 2, 4, 8, 16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    options = parser.parse_args()
    figure, (losses, scores) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    start = 0
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(SHOWN)))
    for run in options.runs:
        with (run / "csv/version_0/metrics.csv").open(newline="") as lines:
            table = list(csv.DictReader(lines))
        for t, colour in zip(SHOWN, colours, strict=True):
            label = f"t = {t}" if start == 0 else None
            steps, loss = column(table, f"train/loss_t{t:02d}")
            losses.plot(start + steps, smooth(loss), color=colour, linewidth=1)
            steps, found = column(table, f"val/ms_ssim_t{t:02d}")
            scores.plot(start + steps, 1 - found, ".-", color=colour, label=label)
        steps, found = column(table, "val/score")
        scores.plot(start + steps, 1 - found, "k.--", label="score" if start == 0 else None)
        start += int(table[-1]["step"]) + 1
        for axes in (losses, scores):
            axes.axvline(start, color="#cccccc", linewidth=0.8, zorder=0)
    losses.set(xlabel="step", ylabel="training loss, smoothed", yscale="log")
    scores.set(xlabel="step", ylabel="1 - MS-SSIM, held out", yscale="log")
    for axes in (losses, scores):
        axes.grid(alpha=0.3, which="both")
    scores.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=6)
    figure.savefig(options.picture, dpi=80)


def column(
    table: list[dict[str, str]], name: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps (from 1) and values of a column, where it has any."""
    rows = [row for row in table if row[name]]
    steps = np.array([int(row["step"]) + 1 for row in rows])
    return steps, np.array([float(row[name]) for row in rows])


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the last up to WINDOW values."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - WINDOW)
    means: NDArray[np.float64] = (sums[ends] - sums[starts]) / (ends - starts)
    return means


if __name__ == "__main__":
    main()
