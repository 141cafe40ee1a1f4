"""Prepared tiles by number, in an order that is a function of the seed, the pass and the place."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnncodec.data import tile_manifest
from rnncodec.data.images import Pixels
from rnncodec.data.shards import Layout, ShardFile
from rnncodec.errors import ConfigError, DataError

BLOCK = 1024
"""Tiles that follow each other on the disk and stay together when a pass is shuffled."""

_OPEN = 64  # shards open at a time
_ORDER, _MIXTURE = 4, 5  # of Philox: keep these numbers apart from all others of the seed
_SLOTS = 4096  # samples of a round of the mixture


class TileSet:
    """The tiles of a prepared folder (and of its parts), numbered through all shards.

    Opens shards when they are needed; pickling carries no open file.

    Raises:
        DataError: no manifest; a part is missing, or was made from another list or settings; a
            shard is missing or not whole.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser()
        self.parts = find_parts(self.root)
        settings = self.parts[0][1]["settings"]
        self.layout = Layout(settings["tile"])
        shards = [(folder, item) for folder, content in self.parts for item in content["shards"]]
        self.paths = [folder / item["name"] for folder, item in shards]
        self.tiles = [int(item["tiles"]) for _, item in shards]
        self.ends = list(accumulate(self.tiles))
        self._files: OrderedDict[int, ShardFile] = OrderedDict()

    def __len__(self) -> int:
        return self.ends[-1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": OrderedDict()}

    def check(self) -> None:
        """Open each shard once.

        Raises:
            DataError: one is missing or has another size than it should.
        """
        for path, tiles in zip(self.paths, self.tiles, strict=True):
            ShardFile(path, self.layout, tiles).close()

    def load(self, number: int) -> Pixels:
        """Tile `number` as read-only uint8 (side, side, 3).

        Raises:
            DataError: its shard is damaged.
        """
        shard = int(np.searchsorted(self.ends, number, side="right"))
        return self._file(shard).tile(number - self.ends[shard] + self.tiles[shard])

    def photographs(self, kind: str) -> list[tuple[str, Path]]:
        """Name and file of the photographs kept in one piece, by name."""
        return sorted(
            (item["name"], folder / item["file"])
            for folder, content in self.parts
            for item in content[kind]
        )

    def _file(self, shard: int) -> ShardFile:
        if shard not in self._files:
            self._files[shard] = ShardFile(self.paths[shard], self.layout, self.tiles[shard])
            if len(self._files) > _OPEN:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(shard)
        return self._files[shard]


def find_parts(root: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Folder and manifest of a set, or of each of its parts.

    Raises:
        DataError: there is none, not all of them, or they do not belong together.
    """
    folders = [path.parent for path in sorted(root.glob(f"part-*-of-*/{tile_manifest.NAME}"))]
    if not folders:
        return [(root, tile_manifest.read(root / tile_manifest.NAME))]
    parts = [(folder, tile_manifest.read(folder / tile_manifest.NAME)) for folder in folders]
    _, first = parts[0]
    count = first["part"][1]
    found = {content["part"][0] for _, content in parts}
    if missing := sorted(set(range(count)) - found):
        raise DataError(
            f"{root} lacks the parts {', '.join(map(str, missing))} of {count}; run "
            f"`rnncodec prepare` with --shard {missing[0]}/{count}, or wait until it has finished"
        )
    for folder, content in parts:
        same = all(content[key] == first[key] for key in ("settings", "excluded"))
        listing = [part["source"]["listing_sha256"] for part in (content, first)]
        if content["part"][1] != count or not same or listing[0] != listing[1]:
            raise DataError(
                f"{folder} and {folders[0]} were not made from the same list of images with the "
                "same settings; prepare one of them again"
            )
    return parts


class Order:
    """A pass through `total` tiles: each exactly once, in an order of its own.

    Blocks of 1024 tiles are shuffled over the whole set, then the tiles of `window` successive
    blocks among themselves, so that reading stays within `window` places of the disk at a time.

    >>> order = Order(5000, window=2, seed=0)
    >>> sorted(order.tile(index) for index in range(5000, 10000)) == list(range(5000))
    True
    """

    def __init__(self, total: int, *, window: int, seed: int, stream: int = 0) -> None:
        self.total = total
        self.window = window
        self.seed = seed
        self.stream = stream
        self._pass = -1
        self._blocks: NDArray[np.int64] = np.empty(0, np.int64)
        self._starts: NDArray[np.int64] = np.empty(0, np.int64)
        self._window: tuple[int, int] = (-1, -1)
        self._tiles: NDArray[np.int64] = np.empty(0, np.int64)

    def tile(self, index: int) -> int:
        """Which tile comes at place `index`, counted through all passes."""
        number, place = divmod(index, self.total)
        if number != self._pass:
            self._begin(number)
        window = int(np.searchsorted(self._starts, place, side="right")) - 1
        if (number, window) != self._window:
            self._enter(window)
        return int(self._tiles[place - self._starts[window]])

    def _begin(self, number: int) -> None:
        self._pass = number
        self._blocks = self._permutation(-(-self.total // BLOCK), 0)
        sizes = np.minimum(BLOCK, self.total - self._blocks * BLOCK)
        ends = np.cumsum(sizes)
        self._starts = (ends - sizes)[:: self.window]

    def _enter(self, window: int) -> None:
        self._window = self._pass, window
        blocks = self._blocks[window * self.window :][: self.window]
        tiles = (blocks[:, None] * BLOCK + np.arange(BLOCK)).ravel()
        tiles = tiles[tiles < self.total]
        self._tiles = tiles[self._permutation(len(tiles), 1 + window)]

    def _permutation(self, count: int, what: int) -> NDArray[np.int64]:
        words = [0, self._pass, _ORDER, (self.stream << 40) + what]
        numbers = np.random.Philox(key=self.seed, counter=words).random_raw(count)
        return np.argsort(numbers, kind="stable")


class Mixture:
    """Which of several sets gives sample `index`, and its place among those of that set.

    In every round of 4096 samples each set has its share by weight, in an order of the round's
    own; so no set runs ahead of its weight, and each is gone through without gaps.

    Raises:
        ConfigError: as many weights as sets are needed, each at least 1/4096 of their sum.
    """

    def __init__(self, weights: Sequence[float], seed: int) -> None:
        self.shares = shares(weights)
        self.seed = seed
        self._round = -1
        self._sets: NDArray[np.int64] = np.empty(0, np.int64)
        self._ranks: NDArray[np.int64] = np.empty(0, np.int64)

    def place(self, index: int) -> tuple[int, int]:
        """(set, place in it)."""
        if len(self.shares) == 1:
            return 0, index
        number, slot = divmod(index, _SLOTS)
        if number != self._round:
            self._begin(number)
        which = int(self._sets[slot])
        return which, number * self.shares[which] + int(self._ranks[slot])

    def _begin(self, number: int) -> None:
        self._round = number
        philox = np.random.Philox(key=self.seed, counter=[0, number, _MIXTURE, 0])
        order = np.argsort(philox.random_raw(_SLOTS), kind="stable")
        self._sets = np.repeat(np.arange(len(self.shares)), self.shares)[order]
        self._ranks = np.zeros(_SLOTS, np.int64)
        for which, share in enumerate(self.shares):
            self._ranks[self._sets == which] = np.arange(share)


def shares(weights: Sequence[float]) -> list[int]:
    """Weights -> samples of each round of 4096, by largest remainder.

    >>> shares([3, 1])
    [3072, 1024]
    """
    if not weights or not all(weight > 0 and np.isfinite(weight) for weight in weights):
        raise ConfigError(f"data.weights={list(weights)}: expected positive numbers")
    exact = [weight / sum(weights) * _SLOTS for weight in weights]
    whole = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda which: whole[which] - exact[which])
    for which in by_remainder[: _SLOTS - sum(whole)]:
        whole[which] += 1
    if 0 in whole:
        raise ConfigError(
            f"data.weights={list(weights)}: each must be at least 1/{_SLOTS} of their sum"
        )
    return whole
