"""The page about a tile set: one HTML file without anything beside it, light or dark."""

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rnncodec.data.tile_sets import TileSet
from rnncodec.images.reading import Pixels
from rnncodec.machine.names import printable
from rnncodec.machine.storage import write_text
from rnncodec.prepare.stats import Stats, measure

NAME = "stats.html"
_COLUMNS = 16  # tiles of a row
_BINS = 64
_WIDTH, _HEIGHT, _AXIS = 720, 180, 30  # of a drawing, and of the line of numbers under it

_META = '<meta charset=utf-8><meta name=viewport content="width=device-width,initial-scale=1">'
_STYLE = """
:root{color-scheme:light dark;--ground:#fff;--text:#1b1f24;--faint:#6a737d;--line:#d5dae0;
--bar:#3b6ea8;--red:#c0392b;--green:#2e8b57;--blue:#2f6fd0}
@media(prefers-color-scheme:dark){:root{--ground:#14171a;--text:#e3e6e8;--faint:#97a0a8;
--line:#343a40;--bar:#74a7de;--red:#f08070;--green:#6fce97;--blue:#82b1ff}}
body{background:var(--ground);color:var(--text);font:15px/1.5 system-ui,sans-serif;
max-width:760px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}p,td,th{color:var(--text)}
.faint,text{color:var(--faint);fill:var(--faint);font-size:12px}
svg,img{width:100%;height:auto}img{image-rendering:pixelated;min-width:512px}
.sheet{overflow-x:auto}
@media(max-width:600px){body{margin:1rem auto}svg text{font-size:22px}}
table{border-collapse:collapse}td,th{padding:.15rem .8rem .15rem 0;text-align:left;
border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}
rect{fill:var(--bar)}line{stroke:var(--line)}polyline{fill:none;stroke-width:1.5}
"""


def write_page(folder: Path) -> Path:
    """Measure a finished tile set and write its page into its folder; the page.

    Raises:
        DataError: it is no finished set.
        StorageError: the page cannot be written.
    """
    tiles = TileSet(folder)
    page = folder / NAME
    write_text(page, render(tiles.parts[0][1], measure(tiles)))
    return page


def render(manifest: dict[str, Any], stats: Stats) -> str:
    """The page as HTML."""
    settings, counts = manifest["settings"], manifest["counts"]
    title = f"{settings['mode']} tiles of {settings['tile']}x{settings['tile']}"
    raw = 3 * settings["tile"] ** 2
    source = html.escape(printable(str(manifest["source"]["name"])))
    body = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{counts['tiles']:,} tiles of {counts['used']:,} images from {source}; "
        f"{counts['held_out']:,} images held out for validation.</p>",
        _flaws(counts),
        "<h2>Score: bytes of a tile as PNG</h2>",
        histogram(stats.scores),
        _quantiles(stats.scores, raw),
        f"<p class=faint>From {stats.shards[0]:,} of {stats.shards[1]:,} shards. Without "
        f"compression a tile has {raw:,} bytes. PNG filter of each row: least sum of absolute "
        "values.</p>",
        "<h2>Hardest tiles</h2>",
        picture(stats.hardest, "hardest tiles"),
        "<h2>Easiest tiles</h2>",
        picture(stats.easiest, "easiest tiles"),
        "<h2>Any tiles</h2>",
        picture(stats.some, "tiles evenly spread over the set"),
        "<h2>Colour balance</h2>",
        _colours(stats),
    ]
    head = f"{_META}<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    return "\n".join(["<!doctype html><html lang=en>", head, *body, "</html>\n"])


def histogram(values: np.ndarray[Any, np.dtype[np.int64]]) -> str:
    """A drawing of how often which score occurs."""
    counts, edges = np.histogram(values, bins=_BINS)
    step, highest = _WIDTH / _BINS, max(1, int(counts.max()))
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{_HEIGHT * (1 - n / highest):.1f}" '
        f'width="{step - 1:.1f}" height="{_HEIGHT * n / highest:.1f}"/>'
        for i, n in enumerate(counts.tolist())
    )
    return _drawing(bars, [round(edge) for edge in edges[:: _BINS // 4]])


def picture(tiles: Pixels, name: str) -> str:
    """Tiles side by side, as an image inside the page."""
    side = tiles.shape[1]
    rows = -(-len(tiles) // _COLUMNS)
    sheet = np.zeros((rows * _COLUMNS, side, side, 3), np.uint8)
    sheet[: len(tiles)] = tiles
    whole = sheet.reshape(rows, _COLUMNS, side, side, 3).swapaxes(1, 2)
    file = io.BytesIO()
    Image.fromarray(whole.reshape(rows * side, _COLUMNS * side, 3)).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return f'<div class=sheet><img alt="{name}" src="data:image/png;base64,{data}"></div>'


def _colours(stats: Stats) -> str:
    highest = max(1, int(np.sort(stats.levels, axis=None)[-4]))  # clipped white may tower over all
    curves = "".join(
        f'<polyline style="stroke:var(--{name})" points="{_points(levels, highest)}"/>'
        for name, levels in zip(("red", "green", "blue"), stats.levels.tolist(), strict=True)
    )
    red, green, blue = stats.colour
    means = f"<p>Means: red {red:.1f}, green {green:.1f}, blue {blue:.1f} of 255.</p>"
    return _drawing(curves, [0, 64, 128, 192, 255]) + means


def _points(levels: Sequence[int], highest: int) -> str:
    places = (
        (_WIDTH * value / 255, _HEIGHT * (1 - min(1.0, n / highest)))
        for value, n in enumerate(levels)
    )
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _drawing(inside: str, labels: Sequence[int]) -> str:
    anchors = ["start", *["middle"] * (len(labels) - 2), "end"]
    texts = "".join(
        f'<text x="{_WIDTH * i / (len(labels) - 1):.0f}" y="{_HEIGHT + _AXIS - 10}" '
        f'text-anchor="{anchor}">{label}</text>'
        for i, (label, anchor) in enumerate(zip(labels, anchors, strict=True))
    )
    axis = f'<line x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/>'
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + _AXIS}">{inside}{axis}{texts}</svg>'


def _quantiles(scores: np.ndarray[Any, np.dtype[np.int64]], raw: int) -> str:
    shares = (0, 1, 10, 50, 90, 99, 100)
    values = np.percentile(scores, shares)
    return _table(
        ["share of tiles below", "bytes", "of the raw bytes"],
        [
            [f"{share} %", f"{value:,.0f}", f"{value / raw:.0%}"]
            for share, value in zip(shares, values, strict=True)
        ],
    )


def _flaws(counts: dict[str, Any]) -> str:
    rows = [[kind, f"{n:,}", "rejected"] for kind, n in counts["rejected"].items()]
    rows += [[kind, f"{n:,}", "noticed"] for kind, n in counts["noticed"].items()]
    return _table(["images", "", ""], rows) if rows else "<p>No image was rejected.</p>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [
        f"<tr>{''.join(f'<th>{html.escape(cell)}' for cell in head)}",
        *(f"<tr>{''.join(f'<td>{html.escape(cell)}' for cell in row)}" for row in rows),
    ]
    return f"<table>{''.join(lines)}</table>"
