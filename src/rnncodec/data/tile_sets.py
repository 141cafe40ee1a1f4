"""Prepared tiles by number, in an order that is a function of the seed, the pass and the place."""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnncodec.data.download import is_address
from rnncodec.data.shards import Layout, ShardFile
from rnncodec.data.shelf import Shelf
from rnncodec.data.tile_places import Manifest, Place, find_folders, find_on_server
from rnncodec.errors import ConfigError, DataError
from rnncodec.images.reading import Pixels
from rnncodec.rng_streams import Stream, permutation

BLOCK = 1024
"""Tiles that follow each other on the disk and stay together when a pass is shuffled."""

_OPEN = 64  # shards open at a time
_SLOTS = 4096  # samples of a round of the mixture


class TileSet:
    """The tiles of a prepared set (and of its parts), numbered through all shards.

    Opens shards when they are needed; pickling carries no open file.

    Args:
        root: a folder, or the http(s) address of one.
        shelf: where copies of shards from a server are kept; needed for an address.

    Raises:
        ConfigError: an address that cannot be one.
        DataError: no manifest; a part is missing, or was made from another list or settings.
    """

    def __init__(self, root: str | Path, shelf: Shelf | None = None) -> None:
        if remote := isinstance(root, str) and is_address(root):
            assert shelf is not None
            self.parts = find_on_server(str(root), shelf)
        else:
            self.parts = find_folders(Path(root).expanduser())
        self.root, self.remote = str(root), remote
        _check_parts(self.root, self.parts)
        self.layout = Layout(self.parts[0][1]["settings"]["tile"])
        self.shards = [(place, item) for place, part in self.parts for item in part["shards"]]
        self.tiles = [int(item["tiles"]) for _, item in self.shards]
        self.ends = list(accumulate(self.tiles))
        self._files: OrderedDict[int, ShardFile] = OrderedDict()

    def __len__(self) -> int:
        return self.ends[-1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": OrderedDict()}

    def check(self) -> None:
        """Open each shard once, if they are files of this machine.

        Raises:
            DataError: one is missing or has another size than it should.
        """
        for number in range(0 if self.remote else len(self.shards)):
            self.open(number).close()

    def open(self, shard: int) -> ShardFile:
        """A shard, fetched if it must be.

        Raises:
            DataError: it is missing, or has another size than it should.
            StorageError: there is no room for it.
        """
        place, item = self.shards[shard]
        tiles = self.tiles[shard]
        path = place.file(item, self.layout.shard_bytes(tiles))
        return ShardFile(path, self.layout, tiles)

    def load(self, number: int) -> Pixels:
        """Tile `number` as read-only uint8 (side, side, 3).

        Raises:
            DataError, StorageError: as `open`; its shard is damaged.
        """
        shard = self.shard_of(number)
        place = number - self.ends[shard] + self.tiles[shard]
        if not self.remote:
            return self._file(shard).tile(place)
        file = self.open(shard)  # kept open, it would take room after it left the shelf
        try:
            return file.tile(place)
        finally:
            file.close()

    def shard_of(self, number: int) -> int:
        """The shard in which tile `number` is."""
        return int(np.searchsorted(self.ends, number, side="right"))

    def bytes_of(self, blocks: int) -> int:
        """About what the shards take in which so many blocks of tiles lie, anywhere."""
        sizes = [self.layout.shard_bytes(tiles) for tiles in self.tiles]
        return min(sum(sizes), blocks * max(*sizes, BLOCK * self.layout.member))

    def _file(self, shard: int) -> ShardFile:
        if shard not in self._files:
            self._files[shard] = self.open(shard)
            if len(self._files) > _OPEN:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(shard)
        return self._files[shard]


def _check_parts(root: str, parts: list[tuple[Place, Manifest]]) -> None:
    place, first = parts[0]
    count = first["part"][1]
    found = {content["part"][0] for _, content in parts}
    if missing := sorted(set(range(count)) - found):
        raise DataError(
            f"{root} lacks the parts {', '.join(map(str, missing))} of {count}; run "
            f"`rnncodec prepare` with --shard {missing[0]}/{count}, or wait until it has finished"
        )
    for other, content in parts[1:]:
        same = all(content[key] == first[key] for key in ("settings", "excluded"))
        listing = [part["source"].get("listing_sha256") for part in (content, first)]
        if content["part"][1] != count or not same or listing[0] != listing[1]:
            raise DataError(
                f"{other} and {place} were not made from the same list of images with the "
                "same settings; prepare one of them again"
            )


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

    @property
    def window_of_pass(self) -> tuple[int, int]:
        """(pass, window) of the place asked for last."""
        return self._window

    def blocks(self) -> list[int]:
        """The blocks of the window of the place asked for last, then those of the next one."""
        number, window = self._window
        start = window * self.window
        found: list[int] = self._blocks[start : start + 2 * self.window].tolist()
        if start + self.window >= len(self._blocks):
            found += self._permutation(number + 1, len(self._blocks), 0)[: self.window].tolist()
        return found

    def _begin(self, number: int) -> None:
        self._pass = number
        self._blocks = self._permutation(number, -(-self.total // BLOCK), 0)
        sizes = np.minimum(BLOCK, self.total - self._blocks * BLOCK)
        ends = np.cumsum(sizes)
        self._starts = (ends - sizes)[:: self.window]

    def _enter(self, window: int) -> None:
        self._window = self._pass, window
        blocks = self._blocks[window * self.window :][: self.window]
        tiles = (blocks[:, None] * BLOCK + np.arange(BLOCK)).ravel()
        tiles = tiles[tiles < self.total]
        self._tiles = tiles[self._permutation(self._pass, len(tiles), 1 + window)]

    def _permutation(self, number: int, count: int, what: int) -> NDArray[np.int64]:
        part = (self.stream << 40) + what
        return permutation(self.seed, Stream.TILE_ORDER, number, count, part=part)


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
        order = permutation(self.seed, Stream.TILE_MIXTURE, number, _SLOTS)
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
