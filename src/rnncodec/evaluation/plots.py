"""Rate-distortion curves fit for a paper, and the sheet of reconstructions."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MultipleLocator
from numpy.typing import NDArray

from rnncodec.evaluation.curves import NOMINAL, RDCurve, with_decibels
from rnncodec.evaluation.metrics import described, tabled, with_decibel_of
from rnncodec.machine.storage import replacing

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
    """One image of the sheet, uint8 (h, w, 3): its crop; title, crop and text of each cell."""

    name: str
    original: NDArray[np.uint8]
    cells: list[tuple[str, NDArray[np.uint8], str]] = field(default_factory=list)


def reconstructions(path: Path, rows: Sequence[Row]) -> None:
    """Draw a sheet, one row per image: the original, then its reconstructions.

    A crop pixel becomes a whole number of sheet pixels, so that no resampling hides artefacts.
    """
    side = max(max(row.original.shape[:2]) for row in rows)
    columns = 1 + max(len(row.cells) for row in rows)
    cell = 2.0  # inches, as all lengths below
    dpi = side * math.ceil(320 / side) / cell
    gap, text, head = (round(inches * dpi) / dpi for inches in (0.12, 0.5, 0.3))
    width = columns * cell + (columns + 1) * gap
    height = head + len(rows) * (cell + text)
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    with mpl.rc_context(AS_TEXT):
        for r, row in enumerate(rows):
            cells = [("original", row.original, row.name), *row.cells]
            for c, (title, picture, below) in enumerate(cells):
                left, bottom = gap + c * (cell + gap), height - head - r * (cell + text) - cell
                ax = figure.add_axes((left / width, bottom / height, cell / width, cell / height))
                ax.imshow(picture, interpolation="nearest")
                ax.set_axis_off()
                if title and r == 0:
                    ax.set_title(title, fontsize=9, color=INK, pad=5)
                under = ax.text(0.5, -0.03, below, fontsize=8, color=INK, linespacing=1.35)
                under.set(transform=ax.transAxes, ha="center", va="top")
    save(figure, path)


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
    """How a curve is drawn: indices of its colour, its marker and the marker's filling.

    ``like`` is the name of a curve whose colour and marker it takes.
    """

    colour: int = 0
    marker: int = 0
    fill: int = 0
    like: str = ""


def lines_of(names: Sequence[str], given: Mapping[str, Line] | None = None) -> dict[str, Line]:
    """Lines for curves by name: those given, the others by their place; no two look alike."""
    given = given or {}
    places = {name: k for k, name in enumerate(n for n in names if n not in given)}
    cycle = len(COLOURS)
    lines = {}
    for name in names:
        line = given.get(name, Line())
        if line.like or name in places:
            k = places[line.like or name]
            again = k // cycle  # the same colours and markers, paired and filled otherwise
            line = Line(k % cycle, (k + again) % len(MARKERS), line.fill or 2 * again)
        lines[name] = line
    return lines


def paper_plot(
    paths: Sequence[Path],
    curves: Sequence[RDCurve],
    *,
    published: Sequence[RDCurve] = (),
    panels: Sequence[str] = (),
    lines: Mapping[str, Line] | None = None,
) -> None:
    """Draw quality over rate, one panel per metric, once per path (.pdf or .png, atomically).

    Args:
        paths: .pdf has vectors and TrueType fonts.
        curves: measured ones, solid with markers; those of one name share a line in the legend.
        published: curves by others, dashed without markers; their MS-SSIM in dB is computed.
        panels: metrics; one that no measured curve has is left out. By default those of the
            tables, after PSNR where images are too small for MS-SSIM.
        lines: by name; by default each has its own, nominal rates as their codec's but hollow.
    """
    others = with_decibels(published)
    has = {curve.metric for curve in curves if curve.samples}
    panels = panels or [*([] if "ms_ssim" in has else ["psnr_rgb"]), *with_decibel_of(tabled())]
    shown = [panel for panel in panels if panel in has] or [panels[0]]
    width = WIDTH * max(2, len(shown)) / 3
    names = list(dict.fromkeys(curve.name for curve in curves))
    if lines is None:
        hollow = {c.name: Line(like=c.codec, fill=1) for c in curves if c.rates == NOMINAL}
        lines = lines_of(names, hollow)
    styles = {name: solid(lines[name], fine=len(curves) > CROWD * len(has)) for name in names}
    for k, name in enumerate(dict.fromkeys(curve.name for curve in others)):
        grey, dash = GREYS[k // len(DASHES) % len(GREYS)], DASHES[k % len(DASHES)]
        styles[name] = {"color": grey, "dashes": dash, "linewidth": 0.9, "zorder": 2}
    columns = legend_columns(list(styles), width)
    with mpl.rc_context({**AS_TEXT, "pdf.fonttype": 42, "font.family": "DejaVu Sans"}):
        height = 2.45 + 0.16 * -(-len(styles) // columns)
        figure = Figure(figsize=(width, height), dpi=300, facecolor="white")
        figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06))
        for ax, metric in zip(np.atleast_1d(figure.subplots(1, len(shown))), shown, strict=True):
            panel(ax, metric, [*others, *curves], styles)
        legend(figure, {name: Line2D([], [], **style) for name, style in styles.items()}, columns)
        for path in paths:
            save(figure, path)


def panel(ax: Any, metric: str, curves: Sequence[RDCurve], styles: Mapping[str, Any]) -> None:
    """The curves of one metric; what lies outside the axes is cut there."""
    drawn = [curve for curve in curves if curve.metric == metric]
    for curve in drawn:
        ax.plot(*zip(*curve.samples, strict=True), **styles[curve.name])
    ax.set_title(described(metric).heading, loc="left", fontsize=8, color=INK, pad=4)
    ax.set_xlabel("rate (bpp)", fontsize=7.5, color=INK, labelpad=2)
    ax.set_xlim(0, MAX_BPP)
    ax.set_ylim(*limits([curve.samples for curve in drawn]))
    ax.xaxis.set_major_locator(MultipleLocator(0.5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.grid(visible=True, color=FAINT, linewidth=0.4)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelsize=7, labelcolor=INK, pad=3)
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color("#888888")


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


def limits(curves: Sequence[Sequence[tuple[float, float]]]) -> tuple[float, float]:
    """The qualities that a panel shows: those at 0.25-2 bpp, or all of curves that end below.

    Very low rates would else squeeze everything else into the top.
    """
    inside = [y for c in curves for x, y in c if FROM_BPP <= x <= MAX_BPP]
    values = inside or [y for c in curves for _, y in c if np.isfinite(y)] or [0.0, 1.0]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 0.01
    return low - margin, high + margin


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
    """All curves below the panels; a name is text, whatever it begins with."""
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
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # a PDF is news of every glyph
    FigureCanvasAgg(figure)
    kind = path.suffix.removeprefix(".")
    metadata = {"CreationDate": None} if kind == "pdf" else {"Software": None}
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, metadata=metadata)
