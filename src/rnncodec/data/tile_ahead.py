"""Fetching ahead: while tiles of one window are trained on, the shards of the next arrive."""

import threading
from collections import deque
from typing import Any

from rnncodec.data.tile_sets import BLOCK, Order, TileSet
from rnncodec.errors import RNNCodecError


class Ahead:
    """One thread that puts shards of a remote set on the shelf before they are asked for.

    All loader processes have one, and want the same shards: the shelf lets one of them fetch
    each. A pickled copy starts anew.
    """

    def __init__(self, tiles: TileSet, order: Order) -> None:
        self.tiles = tiles
        self.order = order
        self._window: tuple[int, int] = (-1, -1)
        self._wanted: deque[int] = deque()
        self._thread: threading.Thread | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_window": (-1, -1), "_wanted": deque(), "_thread": None}

    def look(self) -> None:
        """Begin to fetch what the order's window and the next one need, if they are new."""
        if self._window == self.order.window_of_pass:
            return
        self._window = self.order.window_of_pass
        self._wanted = deque(self._shards())
        if self._thread is None or not self._thread.is_alive():
            # a daemon: nobody waits for a download at the end of a run
            self._thread = threading.Thread(target=self._fetch, daemon=True)
            self._thread.start()

    def _shards(self) -> list[int]:
        found: dict[int, None] = {}  # a set that keeps its order
        for block in self.order.blocks():
            first = BLOCK * block
            last = min(first + BLOCK, len(self.tiles)) - 1
            numbers = range(self.tiles.shard_of(first), self.tiles.shard_of(last) + 1)
            found |= dict.fromkeys(numbers)
        return list(found)

    def _fetch(self) -> None:
        while self._wanted:
            try:
                self.tiles.open(self._wanted.popleft()).close()
            except IndexError:  # the list was replaced in between
                continue
            except RNNCodecError:
                return  # whoever needs this shard will meet the error, and raise it
