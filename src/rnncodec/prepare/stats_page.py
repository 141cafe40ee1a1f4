"""The page about a tile set: scores, hardest and easiest tiles, colours; one HTML file alone."""

import base64
import heapq
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnncodec.data.tile_sets import TileSet
from rnncodec.images.reading import Pixels
from rnncodec.machine.storage import printable, write_text

NAME = "stats.html"
MOST_SHARDS = 256  # of a larger set so many, evenly spread, stand for all
COLOUR_TILES = 256  # of each shard, for the colours
SHOWN = 96  # tiles of each picture
_COLUMNS = 16  # tiles of a row
_BINS = 64
_WIDTH, _HEIGHT, _AXIS = 720, 180, 30  # of a drawing, and of the line of numbers under it


def write_page(folder: Path) -> Path:
    """Measure a finished tile set and write its page into its folder; the page.

    Raises:
        DataError: it is no finished set, or a shard is damaged.
        StorageError: the page cannot be written.
    """
    tiles = TileSet(folder)
    page = folder / NAME
    write_text(page, render(tiles.manifest, tile_stats(tiles)))
    return page


@dataclass
class Stats:
    """What `tile_stats` finds; tiles are (n, side, side, 3)."""

    scores: NDArray[np.int64]  # PNG size of each tile looked at, in bytes
    hardest: Pixels  # the hardest first
    easiest: Pixels
    some: Pixels
    levels: NDArray[np.int64]  # how often each value of red, green and blue occurs: (3, 256)
    shards: tuple[int, int]  # how many were looked at, of how many

    @property
    def colour(self) -> NDArray[np.float64]:
        """Mean red, green and blue, 0 to 255."""
        values = np.arange(256)
        return np.asarray(self.levels @ values / self.levels.sum(axis=1), np.float64)


def tile_stats(tiles: TileSet) -> Stats:
    """Go through a tile set, one shard in memory at a time."""
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
    raw = 3 * settings["tile"] ** 2
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
    red, green, blue = (f"{mean:.1f}" for mean in stats.colour)
    page = resources.files(__package__) / "stats_page.html"
    return Template(page.read_text("utf-8")).substitute(
        title=html.escape(f"{settings['mode']} tiles of {settings['tile']}x{settings['tile']}"),
        source=html.escape(printable(str(manifest["source"]["name"]))),
        **{key: f"{counts[key]:,}" for key in ("tiles", "used", "held_out")},
        flaws=_table(["images", "", ""], flaws) if flaws else "<p>No image was rejected.</p>",
        histogram=histogram(stats.scores),
        quantiles=_table(["share of tiles below", "bytes", "of the raw bytes"], quantiles),
        looked_at=f"{stats.shards[0]:,}",
        shards=f"{stats.shards[1]:,}",
        raw=f"{raw:,}",
        hardest=picture(stats.hardest, "hardest tiles"),
        easiest=picture(stats.easiest, "easiest tiles"),
        some=picture(stats.some, "tiles evenly spread over the set"),
        colours=colour_curves(stats.levels),
        red=red,
        green=green,
        blue=blue,
    )


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
