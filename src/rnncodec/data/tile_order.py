"""Which tile is sample `i`: a function of the seed and of `i`, and each tile once a pass."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rnncodec.errors import ConfigError
from rnncodec.rng_streams import Stream, permutation

BLOCK_TILES = 1024
"""Tiles that follow each other on the disk and stay together when a pass is shuffled."""

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
            self._pass = number
            self._blocks = self._permutation(number, -(-self.total // BLOCK_TILES), 0)
            sizes = np.minimum(BLOCK_TILES, self.total - self._blocks * BLOCK_TILES)
            self._starts = (np.cumsum(sizes) - sizes)[:: self.window]
        window = int(np.searchsorted(self._starts, place, side="right")) - 1
        if (number, window) != self._window:
            self._window = number, window
            blocks = self._blocks[window * self.window :][: self.window]
            tiles = (blocks[:, None] * BLOCK_TILES + np.arange(BLOCK_TILES)).ravel()
            tiles = tiles[tiles < self.total]
            self._tiles = tiles[self._permutation(number, len(tiles), 1 + window)]
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

    def _permutation(self, number: int, count: int, purpose: int) -> NDArray[np.int64]:
        part = (self.stream << 40) + purpose
        return permutation(self.seed, Stream.TILE_ORDER, number, count, part=part)


class Mixture:
    """Which of several sets gives sample `index`, and its place among those of that set.

    In every round of 4096 samples each set has its share by weight, in an order of the round's
    own; so no set runs ahead of its weight, and each is read without gaps.

    Raises:
        ConfigError: as many weights as sets are needed, each at least 1/4096 of their sum.
    """

    def __init__(self, weights: Sequence[float], seed: int) -> None:
        self.shares = shares(weights)
        self.seed = seed
        self._round = -1
        self._sets: NDArray[np.int64] = np.empty(0, np.int64)
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
