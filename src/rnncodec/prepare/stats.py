"""Figures about a tile set: scores, the hardest and easiest tiles, colours."""

import heapq
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rnncodec.data.tile_sets import TileSet
from rnncodec.images.reading import Pixels

MOST_SHARDS = 256
"""Of a larger set so many shards, evenly spread, stand for all."""

COLOUR_TILES = 256  # of each shard, for the colours
SHOWN = 96  # tiles of each picture
_Ranked = list[tuple[int, int, int, bytes]]  # merit, then the first of equals


@dataclass
class Stats:
    """What `measure` finds.

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


@dataclass
class _Collected:
    scores: list[NDArray[np.int64]] = field(default_factory=list)
    hardest: _Ranked = field(default_factory=list)
    easiest: _Ranked = field(default_factory=list)
    some: list[Pixels] = field(default_factory=list)
    levels: NDArray[np.int64] = field(default_factory=lambda: np.zeros((3, 256), np.int64))


def measure(tiles: TileSet) -> Stats:
    """Go through a tile set, one shard in memory at a time.

    Raises:
        DataError: a shard is damaged.
    """
    count = min(MOST_SHARDS, len(tiles.shards))
    chosen = np.linspace(0, len(tiles.shards) - 1, count).round().astype(int).tolist()
    found = _Collected()
    for shard in chosen:
        _add(found, tiles, shard, -(-SHOWN // count))
    return Stats(
        scores=np.concatenate(found.scores),
        hardest=_pixels(found.hardest, tiles),
        easiest=_pixels(found.easiest, tiles),
        some=np.concatenate(found.some)[:SHOWN],
        levels=found.levels,
        shards=(count, len(tiles.shards)),
    )


def _add(found: _Collected, tiles: TileSet, shard: int, shown: int) -> None:
    file = tiles.open(shard)
    members = file.members(0, tiles.tiles[shard])
    file.close()
    pixels, scores = tiles.layout.pixels(members), tiles.layout.names(members).score
    found.scores.append(scores)
    by_score = np.argsort(scores, kind="stable")
    ends = (found.hardest, by_score[-SHOWN:], 1), (found.easiest, by_score[:SHOWN], -1)
    for ranked, numbers, sign in ends:
        new = [(sign * int(scores[n]), -shard, -int(n), pixels[n].tobytes()) for n in numbers]
        ranked[:] = heapq.nlargest(SHOWN, [*ranked, *new])
    found.some.append(pixels[:: max(1, len(pixels) // shown)][:shown].copy())
    sample = pixels[:: max(1, len(pixels) // COLOUR_TILES)]
    for channel in range(3):
        found.levels[channel] += np.bincount(sample[..., channel].ravel(), minlength=256)


def _pixels(ranked: _Ranked, tiles: TileSet) -> Pixels:
    side = tiles.layout.side
    whole = b"".join(data for *_, data in ranked)
    return np.frombuffer(whole, np.uint8).reshape(-1, side, side, 3)
