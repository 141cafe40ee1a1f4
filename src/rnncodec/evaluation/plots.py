"""The sheet of reconstructions of an evaluation; names and colours that all its pictures share."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

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


def save(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG, atomically, without pyplot's global state."""
    FigureCanvasAgg(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
