"""The page about a tile set: scores, hardest and easiest tiles, colours; one HTML file alone."""

import base64
import heapq
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnncodec.data.tile_sets import TileSet
from rnncodec.images.reading import Pixels
from rnncodec.machine.names import printable
from rnncodec.machine.storage import write_text

NAME = "stats.html"
MOST_SHARDS = 256
"""Of a larger set so many shards, evenly spread, stand for all."""

COLOUR_TILES = 256  # of each shard, for the colours
SHOWN = 96  # tiles of each picture
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
    write_text(page, render(tiles.manifest, tile_stats(tiles)))
    return page


@dataclass
class Stats:
    """What `tile_stats` finds.

    Attributes:
        scores: PNG size of each tile looked at, in bytes.
        hardest, easiest, some: tiles (n, side, side, 3); the hardest and the easiest first.
        levels: how often each value occurs, for red, green and blue: (3, 256).
        shards: how many were looked at, of how many.
    """

    scores: NDArray[np.int64]
    hardest: Pixels
    easiest: Pixels
    some: Pixels
    levels: NDArray[np.int64]
    shards: tuple[int, int]

    @property
    def colour(self) -> NDArray[np.float64]:
        """Mean red, green and blue, 0 to 255."""
        values = np.arange(256)
        return np.asarray(self.levels @ values / self.levels.sum(axis=1), np.float64)


def tile_stats(tiles: TileSet) -> Stats:
    """Go through a tile set, one shard in memory at a time.

    Raises:
        DataError: a shard is damaged.
    """
    count = min(MOST_SHARDS, len(tiles.shards))
    shown, side = -(-SHOWN // count), tiles.layout.side
    scores, some = [], []
    ranked: dict[int, list[tuple[int, int, int, bytes]]] = {1: [], -1: []}  # hardest, easiest
    levels = np.zeros((3, 256), np.int64)
    for shard in np.linspace(0, len(tiles.shards) - 1, count).round().astype(int).tolist():
        file = tiles.open(shard)
        members = file.members(0, tiles.tiles[shard])
        file.close()
        pixels, found = tiles.layout.pixels(members), tiles.layout.names(members).score
        scores.append(found)
        by_score = np.argsort(found, kind="stable")
        for sign, numbers in ((1, by_score[-SHOWN:]), (-1, by_score[:SHOWN])):
            # by score, then the first of equals
            new = [(sign * int(found[n]), -shard, -int(n), pixels[n].tobytes()) for n in numbers]
            ranked[sign] = heapq.nlargest(SHOWN, [*ranked[sign], *new])
        some.append(pixels[:: max(1, len(pixels) // shown)][:shown].copy())
        sample = pixels[:: max(1, len(pixels) // COLOUR_TILES)]
        for channel in range(3):
            levels[channel] += np.bincount(sample[..., channel].ravel(), minlength=256)
    hardest, easiest = (
        np.frombuffer(b"".join(data for *_, data in ranked[sign]), np.uint8) for sign in (1, -1)
    )
    return Stats(
        scores=np.concatenate(scores),
        hardest=hardest.reshape(-1, side, side, 3),
        easiest=easiest.reshape(-1, side, side, 3),
        some=np.concatenate(some)[:SHOWN],
        levels=levels,
        shards=(count, len(tiles.shards)),
    )


def render(manifest: dict[str, Any], stats: Stats) -> str:
    """The page as HTML."""
    settings, counts = manifest["settings"], manifest["counts"]
    title = html.escape(f"{settings['mode']} tiles of {settings['tile']}x{settings['tile']}")
    raw = 3 * settings["tile"] ** 2
    source = html.escape(printable(str(manifest["source"]["name"])))
    flaws = [
        [kind, f"{n:,}", what]
        for what in ("rejected", "noticed")
        for kind, n in counts[what].items()
    ]
    shares = (0, 1, 10, 50, 90, 99, 100)
    quantiles = [
        [f"{share} %", f"{value:,.0f}", f"{value / raw:.0%}"]
        for share, value in zip(shares, np.percentile(stats.scores, shares), strict=True)
    ]
    red, green, blue = stats.colour
    body = [
        f"<h1>{title}</h1>",
        f"<p>{counts['tiles']:,} tiles of {counts['used']:,} images from {source}; "
        f"{counts['held_out']:,} images held out for validation.</p>",
        _table(["images", "", ""], flaws) if flaws else "<p>No image was rejected.</p>",
        "<h2>Score: bytes of a tile as PNG</h2>",
        histogram(stats.scores),
        _table(["share of tiles below", "bytes", "of the raw bytes"], quantiles),
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
        colour_curves(stats.levels),
        f"<p>Means: red {red:.1f}, green {green:.1f}, blue {blue:.1f} of 255.</p>",
    ]
    head = f"{_META}<title>{title}</title><style>{_STYLE}</style>"
    return "\n".join(["<!doctype html><html lang=en>", head, *body, "</html>\n"])


def histogram(values: NDArray[np.int64]) -> str:
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


def colour_curves(levels: NDArray[np.int64]) -> str:
    """A drawing of how often which value of red, green and blue occurs; levels (3, 256)."""
    highest = max(1, int(np.sort(levels, axis=None)[-4]))  # clipped white may tower over all
    curves = ""
    for name, counts in zip(("red", "green", "blue"), levels.tolist(), strict=True):
        points = " ".join(
            f"{_WIDTH * value / 255:.1f},{_HEIGHT * (1 - min(1.0, n / highest)):.1f}"
            for value, n in enumerate(counts)
        )
        curves += f'<polyline style="stroke:var(--{name})" points="{points}"/>'
    return _drawing(curves, [0, 64, 128, 192, 255])


def _drawing(inside: str, labels: Sequence[int]) -> str:
    anchors = ["start", *["middle"] * (len(labels) - 2), "end"]
    texts = "".join(
        f'<text x="{_WIDTH * i / (len(labels) - 1):.0f}" y="{_HEIGHT + _AXIS - 10}" '
        f'text-anchor="{anchor}">{label}</text>'
        for i, (label, anchor) in enumerate(zip(labels, anchors, strict=True))
    )
    axis = f'<line x1="0" x2="{_WIDTH}" y1="{_HEIGHT}" y2="{_HEIGHT}"/>'
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + _AXIS}">{inside}{axis}{texts}</svg>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [
        f"<tr>{''.join(f'<th>{html.escape(cell)}' for cell in head)}",
        *(f"<tr>{''.join(f'<td>{html.escape(cell)}' for cell in row)}" for row in rows),
    ]
    return f"<table>{''.join(lines)}</table>"
