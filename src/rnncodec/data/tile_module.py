"""Training on prepared tiles (paper section 4.1): each exactly once a pass, resumed anywhere."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from rnncodec.data.crops import CropLoader, Sample
from rnncodec.data.cutter import Cutter
from rnncodec.data.likeness import difference_hash
from rnncodec.data.module import CropData
from rnncodec.data.photos import Photos
from rnncodec.data.shelf import Shelf, default_shelf
from rnncodec.data.tile_ahead import Ahead
from rnncodec.data.tile_mixture import not_excluded, photographs, refuse_unlike
from rnncodec.data.tile_sets import Mixture, Order, TileSet
from rnncodec.data.unusable import Unusable
from rnncodec.errors import ConfigError, DataError
from rnncodec.images.reading import read_image

_log = logging.getLogger(__name__)


class TileData(CropData):
    """Tiles that `rnncodec prepare` made, from one folder or from several mixed by weight.

    Sample `index` is a function of (seed, index): which tile (see `Order`), where in it the crop
    lies if it is smaller, and whether it is mirrored. Validation images, and larger crops for the
    entropy model, come from the photographs that `prepare` kept in one piece. Evaluation images
    are left out when tiles are cut, by `prepare --exclude`; here a warning says which set was not
    made so. Further settings are those of `CropData`.

    Args:
        root: the folder or its http(s) address (of a set in parts, that of any part), or a list.
        weights: of the folders, in their order; by default their tiles.
        window: how many runs of 1024 tiles are shuffled among each other.
        cache_gb: room for copies of shards from servers; all processes of a machine share it.
        cache_dir: where these copies lie; by default in the user's cache.
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
        folder = Path(cache_dir).expanduser() if cache_dir else default_shelf()
        self.shelf = Shelf(folder, int(cache_gb * 1e9))
        self._tiles: Tiles | None = None
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
        sets = [TileSet(root, self.shelf) for root in self.roots]
        for tiles in sets:
            tiles.check()
            side = tiles.layout.side
            if side < self.cutter.reach:
                raise ConfigError(
                    f"{self.cutter.describe()}: the tiles of {tiles.root} are {side}x{side}; "
                    "lower data.crop, or prepare larger tiles"
                )
        refuse_unlike(sets)
        self._tell_of_evaluated(sets)
        self._check_room([tiles for tiles in sets if tiles.remote])
        self._tiles = Tiles(sets, self.weights, cutter=self.cutter, window=self.window)
        super().setup(stage)

    def _tell_of_evaluated(self, sets: Sequence[TileSet]) -> None:
        # nothing can be left out of tiles any more: `prepare --exclude` does that
        hashes = []
        for path in sorted(self._excluded):
            with suppress(DataError):  # the evaluation will tell
                hashes.append(difference_hash(read_image(path)))
        for tiles in sets:
            if count := not_excluded(tiles, hashes):
                _log.warning(
                    "%s was not prepared without %d of the %d evaluation images, and may hold "
                    "tiles of them; if so, prepare it again with --exclude, or change eval",
                    *(tiles.root, count, len(hashes)),
                )

    def _check_room(self, remote: Sequence[TileSet]) -> None:
        # with less room, shards would be fetched again and again for a few tiles each
        needed = sum(tiles.bytes_of(2 * self.window) for tiles in remote)
        if needed > self.shelf.room:
            raise ConfigError(
                f"data.cache_gb={self.shelf.room / 1e9:g}: two windows of data.window="
                f"{self.window} need {needed / 1e9:.1f}; raise it, lower data.window, or prepare "
                "the sets with fewer --shard-tiles"
            )

    def photographs(self) -> Photos:
        """Those in one piece, of all sets."""
        assert self._tiles is not None
        named, self._held_out = photographs(self._tiles.sets)
        return Photos(list(named.values()), list(named), cache_mb=self.cache_mb)

    def is_held_out(self, name: str) -> bool:
        """As the manifest says."""
        return name in self._held_out

    def train_dataloader(self) -> CropLoader:
        """This device's share of every batch.

        Raises:
            ConfigError: the batch cannot be divided among the devices.
        """
        assert self._tiles is not None, "setup() comes first"
        nothing_yet = Unusable(len(self._tiles.sets), where=self._where())
        return self._loader(self._tiles, nothing_yet)

    def _where(self) -> str:
        return ", ".join(map(str, self.roots))

    def _advice(self, missing: str) -> str:
        change = "lower" if missing == "training" else "raise"
        return f"prepare it again and {change} --val-fraction"


class Tiles(Dataset[Sample]):
    """Tiles by global sample index, from one or several sets."""

    def __init__(
        self,
        sets: Sequence[TileSet],
        weights: Sequence[float] | None,
        *,
        cutter: Cutter,
        window: int,
    ) -> None:
        self.sets = list(sets)
        self.cutter = cutter
        self.mixture = Mixture(weights or [len(tiles) for tiles in sets], cutter.seed)
        self.orders = [
            Order(len(tiles), window=window, seed=cutter.seed, stream=number)
            for number, tiles in enumerate(sets)
        ]
        both = zip(self.sets, self.orders, strict=True)
        self.ahead = [Ahead(*pair) if pair[0].remote else None for pair in both]

    def __getitem__(self, index: int) -> Sample:
        which, place = self.mixture.place(index)
        number = self.orders[which].tile(place)
        if (ahead := self.ahead[which]) is not None:
            ahead.look()
        tile = self.sets[which].load(number)
        return Sample(index, self.cutter.cut(tile, index), {})
