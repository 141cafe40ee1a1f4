"""Rate-distortion curves fit for a paper, and the sheet of reconstructions."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MultipleLocator
from numpy.typing import NDArray

from rnncodec.evaluation.curves import Samples
from rnncodec.evaluation.metrics import DECIBEL, decibels, described, tabled
from rnncodec.machine.storage import replacing

Curves: TypeAlias = dict[str, dict[str, list[tuple[float, float]]]]
"""Name of a codec -> metric -> (bpp, value), by increasing bpp."""

# Okabe & Ito's palette, which readers with any colour vision can tell apart; its yellow is left
# out as too light for a line. Markers say the same again, for prints in grey.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
DASHES = [(5, 2), (2, 1.5), (6, 2, 1, 2), (1, 1), (8, 3), (4, 1, 1, 1, 1, 1), (3, 3)]
AS_TEXT: dict[Any, Any] = {"text.parse_math": False, "text.usetex": False}
"""For matplotlib, which else takes what stands between two $ of a name for mathematics."""

INK, FAINT = "#222222", "#d9d9d9"


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
    with mpl.rc_context(AS_TEXT):
        for r, row in enumerate(rows):
            cells = [("original", row.original, row.name), *row.cells]
            for c, (title, picture, below) in enumerate(cells):
                ax = figure.add_axes(place(r, c, cell))
                draw_cell(ax, picture, title=title if r == 0 else "", below=below)
    save(figure, path)


def draw_cell(ax: Axes, picture: NDArray[np.uint8], *, title: str, below: str) -> None:
    """One picture (h, w, 3) with what stands above and below it."""
    ax.imshow(picture, interpolation="nearest")
    ax.set_axis_off()
    if title:
        ax.set_title(title, fontsize=9, color=INK, pad=5)
    under = ax.text(0.5, -0.03, below, fontsize=8, color=INK, linespacing=1.35)
    under.set(transform=ax.transAxes, ha="center", va="top")


def grid(
    width: float, height: float, corner: Callable[[int, int], tuple[float, float]]
) -> Callable[[int, int, float], tuple[float, float, float, float]]:
    """Cells in inches from the top left, as figure fractions from the bottom left."""

    def place(row: int, column: int, side: float) -> tuple[float, float, float, float]:
        left, top = corner(row, column)
        return left / width, 1 - (top + side) / height, side / width, side / height

    return place


WIDTH = 7.2
"""Inches: both columns of a paper."""

MAX_BPP, FROM_BPP = 2.0, 0.25
"""Right end of the rate axis; and the rate from which on every curve has to fit in a panel."""

GREYS = ["#555555", "#a0a0a0"]
"""Of published curves: measured ones stand out."""


FILLS = ["full", "none", "bottom", "left"]
CROWD = 12
"""More curves than this are drawn finer."""


@dataclass(frozen=True)
class Line:
    """How a curve is drawn.

    Attributes:
        colour, marker: indices into the palette and the markers.
        fill: of the markers, an index into :data:`FILLS`; empty ones are on thin lines.
        like: the name of a curve whose colour and marker it takes.
    """

    colour: int = 0
    marker: int = 0
    fill: int = 0
    like: str = ""


@dataclass(frozen=True)
class Drawn:
    """A curve by metric, how it is drawn, and its name, which several may share."""

    curves: Mapping[str, Samples]
    line: Line
    label: str


def lines_of(curves: Curves, given: Mapping[str, Line]) -> list[Drawn]:
    """Lines for curves by name: those given, the others by their place; no two look alike."""
    places = {name: k for k, name in enumerate(n for n in curves if n not in given)}
    cycle = len(COLOURS)
    drawn = []
    for name, by_metric in curves.items():
        line = given.get(name, Line())
        if line.like or name in places:
            k = places[line.like or name]
            again = k // cycle  # the same colours and markers, paired and filled otherwise
            line = Line(k % cycle, (k + again) % len(MARKERS), line.fill or 2 * again)
        drawn.append(Drawn(by_metric, line, name))
    return drawn


def paper_plot(
    paths: Sequence[Path],
    lines: Sequence[Drawn],
    *,
    published: Curves | None = None,
    panels: Sequence[str] | None = None,
) -> None:
    """Draw quality over rate, one panel per metric, once per path.

    Args:
        paths: .pdf (vectors, TrueType fonts) or .png; written atomically.
        lines: measured curves, solid with markers.
        published: curves by others, dashed without markers and named so; MS-SSIM in dB is
            computed from theirs.
        panels: metrics, those of the tables by default; one that no curve has is left out.

    Raises:
        StorageError: one could not be written.
    """
    others = {name: with_decibel(by_metric) for name, by_metric in (published or {}).items()}
    panels = panels or with_decibel_of(tabled())
    shown = [p for p in panels if any(drawn.curves.get(p) for drawn in lines)] or [panels[0]]
    width = WIDTH * max(2, len(shown)) / 3
    labels = list(dict.fromkeys(drawn.label for drawn in lines))
    labels += [published_name(name) for name in others]
    columns = legend_columns(labels, width)
    with mpl.rc_context({**AS_TEXT, "pdf.fonttype": 42, "font.family": "DejaVu Sans"}):
        height = 2.45 + 0.16 * -(-len(labels) // columns)
        figure = Figure(figsize=(width, height), dpi=300, facecolor="white")
        figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06))
        handles: dict[str, Any] = {}
        for ax, metric in zip(np.atleast_1d(figure.subplots(1, len(shown))), shown, strict=True):
            handles |= panel(ax, metric, lines, others)
        legend(figure, {label: handles[label] for label in labels}, columns)
        for path in paths:
            save(figure, path)


def panel(ax: Any, metric: str, lines: Sequence[Drawn], others: Curves) -> dict[str, Any]:
    """One panel; a handle for each label."""
    handles = {}
    fine = len(lines) > CROWD
    for k, (name, by_metric) in enumerate(others.items()):
        handles[published_name(name)] = plot(ax, by_metric.get(metric, []), dashed(k))
    for drawn in lines:
        handles[drawn.label] = plot(ax, drawn.curves.get(metric, []), solid(drawn.line, fine=fine))
    curves = [*(drawn.curves for drawn in lines), *others.values()]
    dress(ax, metric, [by_metric.get(metric, []) for by_metric in curves])
    return handles


def with_decibel_of(metrics: Sequence[str]) -> list[str]:
    """The metrics, with MS-SSIM in dB after MS-SSIM.

    Examples:
        >>> with_decibel_of(["psnr_rgb", "ms_ssim", "psnr_hvs"])
        ['psnr_rgb', 'ms_ssim', 'ms_ssim_db', 'psnr_hvs']
    """
    return [
        name
        for metric in metrics
        for name in ((metric, DECIBEL) if metric == "ms_ssim" else (metric,))
    ]


def with_decibel(
    by_metric: dict[str, list[tuple[float, float]]],
) -> dict[str, list[tuple[float, float]]]:
    """A published curve with MS-SSIM in dB beside MS-SSIM."""
    decibel = [
        (bpp, float(decibels(value))) for bpp, value in by_metric.get("ms_ssim", []) if value < 1
    ]
    return {**by_metric, DECIBEL: decibel}


def solid(line: Line, *, fine: bool = False) -> dict[str, Any]:
    """The style of a measured curve."""
    fill = line.fill % len(FILLS)
    return {
        "color": COLOURS[line.colour % len(COLOURS)],
        "marker": MARKERS[line.marker % len(MARKERS)],
        "markersize": 2.8 if fine else 3.4,
        "fillstyle": FILLS[fill],
        "markerfacecoloralt": "white",
        "markeredgewidth": 0.5 if fine else 0.8,
        "linewidth": 0.5 if fine else 0.8 if fill == 1 else 1.3,
        "zorder": 3,
    }


def dashed(k: int) -> dict[str, Any]:
    """The style of the k-th published curve."""
    return {
        "color": GREYS[k // len(DASHES) % len(GREYS)],
        "dashes": DASHES[k % len(DASHES)],
        "linewidth": 0.9,
        "zorder": 2,
    }


def plot(ax: Any, samples: Samples, style: dict[str, Any]) -> Any:
    """One curve; what lies outside the axes is cut there."""
    (line,) = ax.plot([x for x, _ in samples], [y for _, y in samples], **style)
    return line


def dress(ax: Any, metric: str, curves: Sequence[Samples]) -> None:
    """Axes, grid and labels of one panel."""
    ax.set_title(described(metric).heading, loc="left", fontsize=8, color=INK, pad=4)
    ax.set_xlabel("rate (bpp)", fontsize=7.5, color=INK, labelpad=2)
    ax.set_xlim(0, MAX_BPP)
    ax.set_ylim(*limits(curves))
    ax.xaxis.set_major_locator(MultipleLocator(0.5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.grid(visible=True, color=FAINT, linewidth=0.4)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelsize=7, labelcolor=INK, pad=3)
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color("#888888")


def limits(curves: Sequence[Samples]) -> tuple[float, float]:
    """The qualities that a panel shows: those at 0.25-2 bpp, or all of curves that end below.

    Very low rates would else squeeze everything else into the top.
    """
    inside = [y for c in curves for x, y in c if FROM_BPP <= x <= MAX_BPP]
    values = inside or [y for c in curves for _, y in c if np.isfinite(y)] or [0.0, 1.0]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 0.01
    return low - margin, high + margin


def published_name(name: str) -> str:
    """What a published curve is called."""
    return f"{name} (published)"


def legend_columns(names: Sequence[str], width: float) -> int:
    """How many columns of names, filled one after the other, fit in ``width`` inches.

    Examples:
        >>> legend_columns(["a", "b", "c", "d" * 40, "e"], 7.2), legend_columns(["a" * 60] * 4, 7)
        (4, 1)
        >>> legend_columns(["a", "b", "c", "d", "e" * 50, "f" * 50], 7.2)  # matplotlib: 2, 2, 1, 1
        3
    """
    for columns in (4, 3, 2):
        parts = np.array_split([len(name) for name in names], columns)  # as matplotlib does
        if sum(0.62 + 0.055 * part.max(initial=0) for part in parts) <= width:
            return columns
    return 1


def legend(figure: Figure, handles: Mapping[str, Any], columns: int) -> None:
    """All curves below the panels."""
    drawn = figure.legend(
        handles.values(),
        [str(k) for k in range(len(handles))],  # matplotlib leaves out names that begin with _
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=7,
        handlelength=3.2,
        columnspacing=1.2,
        labelspacing=0.35,
        labelcolor=INK,
    )
    for text, name in zip(drawn.get_texts(), handles, strict=True):
        text.set_text(name)


def save(figure: Figure, path: Path) -> None:
    """Write the figure in the format of the path's ending, atomically; without its date."""
    FigureCanvasAgg(figure)
    kind = path.suffix.removeprefix(".")
    metadata = {"CreationDate": None} if kind == "pdf" else {"Software": None}
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, metadata=metadata)
