"""Pictures of an evaluation: rate-distortion curves and a sheet of reconstructions."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, MultipleLocator, NullLocator
from numpy.typing import NDArray

from rnncodec.evaluation.rate_distortion import Samples
from rnncodec.storage import replacing

Curves: TypeAlias = dict[str, dict[str, list[tuple[float, float]]]]
"""Name of a codec -> metric -> (bpp, value), by increasing bpp."""

TITLES = {
    "psnr_rgb": "PSNR, RGB (dB)",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "psnr_hvs": "PSNR-HVS (dB)",
    "psnr_hvs_m": "PSNR-HVS-M (dB)",
}

# Okabe & Ito's palette, which readers with any colour vision can tell apart; its yellow is left
# out as too light for a line. Markers say the same again, for prints in grey.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
DASHES = [(5, 2), (2, 1.5), (6, 2, 1, 2), (1, 1), (8, 3), (4, 1, 1, 1, 1, 1), (3, 3)]
INK, FAINT = "#222222", "#d9d9d9"

MS_SSIM_TICKS = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999]


def rd_plot(
    path: Path,
    curves: Curves,
    *,
    published: Curves | None = None,
    metrics: Sequence[str] | None = None,
    max_bpp: float = 2.0,
) -> None:
    """Draw quality over rate, one panel per metric, as a PNG.

    Args:
        path: where the PNG goes; written atomically.
        curves: solid lines with markers.
        published: thin dashed lines, for reference.
        metrics: the panels; by default MS-SSIM and PSNR-HVS, with PSNR in place of an MS-SSIM
            that no curve has.
        max_bpp: right end of the rate axis.

    Raises:
        StorageError: it could not be written.
    """
    published = published or {}
    figure = Figure(figsize=(9.6, 4.8), dpi=160, facecolor="white")
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.14, h_pad=0.1))
    handles: dict[str, Any] = {}
    for ax, metric in zip(figure.subplots(1, 2), metrics or default_metrics(curves), strict=True):
        for k, (name, by_metric) in enumerate((curves | published).items()):
            style = solid(k) if name in curves else dashed(k, k - len(curves))
            line = draw(ax, by_metric.get(metric, []), max_bpp, style)
            handles.setdefault(name, line)
        dress(ax, metric, max_bpp)
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=min(3, len(handles)),
        frameon=False,
        fontsize=8.8,
        handlelength=3.2,
        labelcolor=INK,
    )
    save(figure, path)


def default_metrics(curves: Curves) -> tuple[str, str]:
    """MS-SSIM and PSNR-HVS; PSNR where no curve has MS-SSIM."""
    has_ms_ssim = any(by_metric.get("ms_ssim") for by_metric in curves.values())
    return ("ms_ssim" if has_ms_ssim else "psnr_rgb"), "psnr_hvs"


def solid(k: int) -> dict[str, Any]:
    """The line style of our k-th curve."""
    return {
        "color": COLOURS[k % len(COLOURS)],
        "marker": MARKERS[k % len(MARKERS)],
        "markersize": 4.5,
        "linewidth": 1.9,
        "zorder": 3,
    }


def dashed(colour: int, k: int) -> dict[str, Any]:
    """The line style of the k-th published curve."""
    return {
        "color": COLOURS[colour % len(COLOURS)],
        "dashes": DASHES[k % len(DASHES)],
        "linewidth": 1.2,
        "zorder": 2,
    }


def draw(ax: Any, samples: Samples, max_bpp: float, style: dict[str, Any]) -> Any:
    """One curve up to ``max_bpp``, where it is cut at the interpolated end, without a marker."""
    bpp = np.array([x for x, _ in samples])
    value = np.array([y for _, y in samples])
    inside = int(np.count_nonzero(bpp <= max_bpp))
    if 0 < inside < bpp.size:
        end = float(np.interp(max_bpp, bpp, value))
        bpp, value = np.append(bpp[:inside], max_bpp), np.append(value[:inside], end)
    keep = inside + 1 if inside else 0
    (line,) = ax.plot(
        bpp[:keep], value[:keep], clip_on=False, markevery=list(range(inside)), **style
    )
    return line


def dress(ax: Any, metric: str, max_bpp: float) -> None:
    """Axes, grid and labels of one panel."""
    ax.set_title(TITLES[metric], loc="left", fontsize=11, color=INK, pad=8)
    ax.set_xlabel("rate (bits per pixel)", fontsize=9.5, color=INK)
    ax.set_xlim(0, max_bpp)
    ax.xaxis.set_major_locator(MultipleLocator(0.5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    if metric == "ms_ssim":
        decibel_axis(ax)
    ax.grid(visible=True, color=FAINT, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelsize=9, labelcolor=INK, pad=5)
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color("#888888")


def decibel_axis(ax: Any) -> None:
    """Space MS-SSIM by -10 log10(1 - x), or all that matters would crowd below 1."""
    ax.set_yscale("function", functions=(to_decibel, from_decibel))
    low, high = ax.dataLim.intervaly
    if not math.isfinite(low):
        return
    low, high = to_decibel(np.array([low, high]))
    margin = 0.06 * (high - low) + 0.1
    ax.set_ylim(*from_decibel(np.array([low - margin, high + margin])))
    ax.yaxis.set_major_locator(FixedLocator(MS_SSIM_TICKS))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))


def to_decibel(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """-10 log10(1 - x), up to 60 dB."""
    return -10 * np.log10(np.maximum(1 - np.asarray(value), 1e-6))


def from_decibel(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of :func:`to_decibel`."""
    return np.asarray(1 - 10 ** (-np.asarray(value) / 10))


@dataclass
class Row:
    """One image of the sheet: a crop of the original, and that crop after some iterations.

    Attributes:
        name: what the row is called.
        original: uint8 (h, w, 3).
        cells: title above, uint8 (h, w, 3), text below.
    """

    name: str
    original: NDArray[np.uint8]
    cells: list[tuple[str, NDArray[np.uint8], str]] = field(default_factory=list)


def reconstructions(path: Path, rows: Sequence[Row]) -> None:
    """Draw a sheet, one row per image: the original, then its reconstructions.

    A crop pixel becomes a whole number of sheet pixels, so that no resampling hides artefacts.

    Raises:
        StorageError: it could not be written.
    """
    side = max(max(row.original.shape[:2]) for row in rows)
    columns = 1 + max(len(row.cells) for row in rows)
    cell = 2.0  # inches
    dpi = side * math.ceil(320 / side) / cell
    gap, text, head = (round(inches * dpi) / dpi for inches in (0.12, 0.5, 0.3))
    width = columns * cell + (columns + 1) * gap
    height = head + len(rows) * (cell + text)
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    place = grid(width, height, lambda r, c: (gap + c * (cell + gap), head + r * (cell + text)))
    for r, row in enumerate(rows):
        cells = [("original", row.original, row.name), *row.cells]
        for c, (title, picture, below) in enumerate(cells):
            ax = figure.add_axes(place(r, c, cell))
            ax.imshow(picture, interpolation="nearest")
            ax.set_axis_off()
            if r == 0:
                ax.set_title(title, fontsize=9, color=INK, pad=5)
            ax.text(
                0.5,
                -0.03,
                below,
                transform=ax.transAxes,
                ha="center",
                va="top",
                fontsize=8,
                color=INK,
                linespacing=1.35,
            )
    save(figure, path)


def grid(
    width: float, height: float, corner: Callable[[int, int], tuple[float, float]]
) -> Callable[[int, int, float], tuple[float, float, float, float]]:
    """Cells in inches from the top left, as figure fractions from the bottom left."""

    def place(row: int, column: int, side: float) -> tuple[float, float, float, float]:
        left, top = corner(row, column)
        return left / width, 1 - (top + side) / height, side / width, side / height

    return place


def save(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG, atomically, without pyplot's global state."""
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
