"""Training on prepared tiles (paper section 4.1): each exactly once a pass, resumed anywhere."""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from rnncodec.data.module import CropData
from rnncodec.data.perceptual_hash import difference_hash
from rnncodec.data.photos import Photos
from rnncodec.data.random_crop import RandomCrop
from rnncodec.data.resumable import Sample
from rnncodec.data.tile_order import BLOCK_TILES, Mixture, Order
from rnncodec.data.tile_sets import TileSet, check_holdout, not_excluded, photographs
from rnncodec.errors import ConfigError, DataError, RNNCodecError
from rnncodec.images.reading import read_image
from rnncodec.machine.download import DownloadCache, user_cache

_log = logging.getLogger(__name__)


class TileData(CropData):
    """Tiles that `rnncodec prepare` made, from one folder or from several mixed by weight.

    Sample `index` is a function of (seed, index): which tile (see `Order`), where in it the crop
    is if it is smaller, and whether it is mirrored. Validation images, and larger crops for the
    entropy model, come from the photographs that `prepare` stored whole. Evaluation images
    are left out when tiles are cut, by `prepare --exclude`; here a warning says which set was not
    made so. Further settings are those of `CropData`.

    Args:
        root: the folder or its http(s) address (of a set in parts, that of any part), or a list.
        weights: of the folders, in their order; by default their tiles.
        window: how many runs of 1024 tiles are shuffled among each other.
        cache_gb: room for copies of shards from servers; all processes of a machine share it.
        cache_dir: their folder; by default in the user's cache.
    """

    def __init__(
        self,
        root: str | Path | Sequence[str | Path],
        *,
        weights: Sequence[float] | None = None,
        window: int = 128,
        cache_gb: float = 32,
        cache_dir: str | Path | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.roots = [root] if isinstance(root, str | Path) else list(root)
        if not self.roots:
            raise ConfigError("data.root=[]: expected a folder, or a list of folders")
        if weights is not None and len(weights) != len(self.roots):
            raise ConfigError(f"data.weights={list(weights)}: expected {len(self.roots)} of them")
        if window < 1:
            raise ConfigError(f"data.window={window}: expected at least 1")
        if not cache_gb > 0:
            raise ConfigError(f"data.cache_gb={cache_gb}: expected more than 0")
        self.weights = weights
        self.window = window
        folder = Path(cache_dir).expanduser() if cache_dir else default_cache()
        self.cache = DownloadCache(folder, int(cache_gb * 1e9))
        self._tiles: TileDataset | None = None
        self._held_out: set[str] = set()

    def setup(self, stage: str | None = None) -> None:
        """Read the manifests, look at every local shard's size, decode the validation images.

        Raises:
            ConfigError: data.crop is larger than the tiles; data.cache_gb is too small; the sets
                do not hold out alike.
            DataError: a set is damaged or incomplete; no photograph for one of the two uses.
        """
        if self._tiles is not None:
            return
        sets = [TileSet(root, self.cache) for root in self.roots]
        for tiles in sets:
            tiles.check()
            side = tiles.layout.side
            if side < self.random_crop.source_side:
                raise ConfigError(
                    f"{self.random_crop.describe()}: the tiles of {tiles.root} are {side}x{side}; "
                    "lower data.crop, or prepare larger tiles"
                )
        check_holdout(sets)
        self._warn_of_evaluated(sets)
        # with less room, shards would be fetched again and again for a few tiles each
        needed = sum(tiles.bytes_of(2 * self.window) for tiles in sets if tiles.remote)
        if needed > self.cache.room:
            raise ConfigError(
                f"data.cache_gb={self.cache.room / 1e9:g}: two windows of data.window="
                f"{self.window} need {needed / 1e9:.1f}; raise it, lower data.window, or prepare "
                "the sets with fewer --shard-tiles"
            )
        self._tiles = TileDataset(
            sets, self.weights, random_crop=self.random_crop, window=self.window
        )
        super().setup(stage)
        self._training = self._tiles

    def _warn_of_evaluated(self, sets: Sequence[TileSet]) -> None:
        # nothing can be left out of tiles any more: `prepare --exclude` does that
        hashes = []
        for path in sorted(self._excluded):
            with suppress(DataError):  # the evaluation reports it
                hashes.append(difference_hash(read_image(path)))
        for tiles in sets:
            if count := not_excluded(tiles, hashes):
                _log.warning(
                    "%s was not prepared without %d of the %d evaluation images, and may hold "
                    "tiles of them; if so, prepare it again with --exclude, or change eval",
                    *(tiles.root, count, len(hashes)),
                )

    def photographs(self) -> Photos:
        """The whole ones of all sets."""
        assert self._tiles is not None
        named, self._held_out = photographs(self._tiles.sets)
        return Photos(list(named.values()), list(named), cache_mb=self.cache_mb)

    def is_held_out(self, name: str) -> bool:
        """As the manifest says."""
        return name in self._held_out

    def _where(self) -> str:
        return ", ".join(map(str, self.roots))

    def _advice(self, missing: str) -> str:
        change = "lower" if missing == "training" else "raise"
        return f"prepare it again and {change} --val-fraction"


def default_cache() -> Path:
    """`tiles` in the user's cache, on Linux `~/.cache/rnncodec/tiles` (`$XDG_CACHE_HOME`)."""
    return user_cache() / "tiles"


class TileDataset(Dataset[Sample]):
    """Tiles by global sample index, from one or several sets."""

    def __init__(
        self,
        sets: Sequence[TileSet],
        weights: Sequence[float] | None,
        *,
        random_crop: RandomCrop,
        window: int,
    ) -> None:
        self.sets = list(sets)
        self.random_crop = random_crop
        self.mixture = Mixture(weights or [len(tiles) for tiles in sets], random_crop.seed)
        self.orders = [
            Order(len(tiles), window=window, seed=random_crop.seed, stream=number)
            for number, tiles in enumerate(sets)
        ]
        self.prefetchers = [
            ShardPrefetcher(tiles, order) if tiles.remote else None
            for tiles, order in zip(self.sets, self.orders, strict=True)
        ]

    def __getitem__(self, index: int) -> Sample:
        which, place = self.mixture.place(index)
        number = self.orders[which].tile(place)
        if (prefetcher := self.prefetchers[which]) is not None:
            prefetcher.prefetch()
        tile = self.sets[which].load(number)
        return Sample(index, self.random_crop.cut(tile, index), {})


class ShardPrefetcher:
    """One thread that brings shards of a remote set into the cache before they are asked for.

    All loader processes have one, and want the same shards: the cache lets one of them fetch
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

    def prefetch(self) -> None:
        """Start to fetch what the order's window and the next one need, if they are new."""
        if self._window == self.order.window_of_pass:
            return
        self._window = self.order.window_of_pass
        found: dict[int, None] = {}  # a set with an order
        for block in self.order.blocks():
            first = BLOCK_TILES * block
            last = min(first + BLOCK_TILES, len(self.tiles)) - 1
            shards = range(self.tiles.shard_of(first), self.tiles.shard_of(last) + 1)
            found |= dict.fromkeys(shards)
        self._wanted = deque(found)
        if self._thread is None or not self._thread.is_alive():
            # a daemon: nobody waits for a download at the end of a run
            self._thread = threading.Thread(target=self._fetch, daemon=True)
            self._thread.start()

    def _fetch(self) -> None:
        while self._wanted:
            try:
                self.tiles.open(self._wanted.popleft()).close()
            except IndexError:  # the list was replaced in between
                continue
            except RNNCodecError:
                return  # it is raised again where the shard is needed
