"""Which tile is sample `i`: a function of the seed and of `i`, and each tile once a pass."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rnncodec.errors import ConfigError
from rnncodec.rng_streams import Stream, permutation

BLOCK_TILES = 1024  # follow each other on the disk, stay together when a pass is shuffled
_SLOTS = 4096  # samples of a round of the mixture


class Order:
    """A pass through `total` tiles: each exactly once, in an order of its own.

    Blocks of 1024 tiles are shuffled over the whole set, then the tiles of `window` successive
    blocks among themselves, so that reading stays within `window` places of the disk at a time.

    >>> order = Order(5000, window=2, seed=0)
    >>> sorted(order.tile(index) for index in range(5000, 10000)) == list(range(5000))
    True
    """

    def __init__(self, total: int, *, window: int, seed: int, stream: int = 0) -> None:
        self.total, self.window = total, window
        self.seed, self.stream = seed, stream
        self.window_of_pass = (-1, -1)
        """(pass, window) of the place asked for last."""
        self._blocks = self._starts = self._tiles = np.empty(0, np.int64)

    def tile(self, index: int) -> int:
        """Which tile comes at place `index`, counted through all passes."""
        number, place = divmod(index, self.total)
        if number != self.window_of_pass[0]:
            self._blocks = self._permutation(number, -(-self.total // BLOCK_TILES), 0)
            sizes = np.minimum(BLOCK_TILES, self.total - self._blocks * BLOCK_TILES)
            self._starts = (np.cumsum(sizes) - sizes)[:: self.window]
        window = int(np.searchsorted(self._starts, place, side="right")) - 1
        if (number, window) != self.window_of_pass:
            self.window_of_pass = number, window
            blocks = self._blocks[window * self.window :][: self.window]
            tiles = (blocks[:, None] * BLOCK_TILES + np.arange(BLOCK_TILES)).ravel()
            tiles = tiles[tiles < self.total]
            self._tiles = tiles[self._permutation(number, len(tiles), 1 + window)]
        return int(self._tiles[place - self._starts[window]])

    def blocks(self) -> list[int]:
        """The blocks of the window of the place asked for last, then those of the next one."""
        number, window = self.window_of_pass
        start = window * self.window
        found: list[int] = self._blocks[start : start + 2 * self.window].tolist()
        if start + self.window >= len(self._blocks):
            found += self._permutation(number + 1, len(self._blocks), 0)[: self.window].tolist()
        return found

    def _permutation(self, number: int, count: int, purpose: int) -> NDArray[np.int64]:
        part = (self.stream << 40) + purpose
        return permutation(self.seed, Stream.TILE_ORDER, number, count, part=part)


class Mixture:
    """Which of several sets gives sample `index`, and its place among those of that set.

    In every round of 4096 samples each set has its share by weight (by largest remainder), in an
    order of the round's own; so no set runs ahead of its weight, and each is read without gaps.

    >>> Mixture([3, 1], seed=0).shares
    [3072, 1024]

    Raises:
        ConfigError: as many weights as sets are needed, each at least 1/4096 of their sum.
    """

    def __init__(self, weights: Sequence[float], seed: int) -> None:
        if not weights or not all(weight > 0 and np.isfinite(weight) for weight in weights):
            raise ConfigError(f"data.weights={list(weights)}: expected positive numbers")
        exact = [weight / sum(weights) * _SLOTS for weight in weights]
        self.shares = [int(value) for value in exact]
        remainders = sorted(range(len(exact)), key=lambda which: self.shares[which] - exact[which])
        for which in remainders[: _SLOTS - sum(self.shares)]:
            self.shares[which] += 1
        if 0 in self.shares:
            raise ConfigError(
                f"data.weights={list(weights)}: each must be at least 1/{_SLOTS} of their sum"
            )
        self.seed = seed
        self._round = -1
        self._sets = np.empty(0, np.int64)
        self._ranks = np.zeros(_SLOTS, np.int64)

    def place(self, index: int) -> tuple[int, int]:
        """(set, place in it)."""
        if len(self.shares) == 1:
            return 0, index
        number, slot = divmod(index, _SLOTS)
        if number != self._round:
            self._round = number
            order = permutation(self.seed, Stream.TILE_MIXTURE, number, _SLOTS)
            self._sets = np.repeat(np.arange(len(self.shares)), self.shares)[order]
            for one, share in enumerate(self.shares):
                self._ranks[self._sets == one] = np.arange(share)
        which = int(self._sets[slot])
        return which, number * self.shares[which] + int(self._ranks[slot])
