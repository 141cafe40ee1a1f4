"""Prepared sets: tiles by number, whole photographs, and what sets must share to be mixed."""

import json
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnncodec.data.perceptual_hash import NEAR
from rnncodec.data.shards import Layout, ShardFile
from rnncodec.data.tile_manifest import PHOTOGRAPHS, VALIDATION
from rnncodec.data.tile_order import BLOCK_TILES
from rnncodec.data.tile_storage import Manifest, TileStorage, find_folders, find_on_server
from rnncodec.errors import ConfigError, DataError
from rnncodec.images.reading import Pixels
from rnncodec.machine.download import DownloadCache, is_address

_OPEN = 64  # shards open at a time


class TileSet:
    """The tiles of a prepared set (and of its parts), numbered through all shards.

    Opens shards when they are needed; pickling carries no open file.

    Args:
        root: a folder, or the http(s) address of one.
        cache: of shards from a server; needed for an address.

    Raises:
        ConfigError: an address that cannot be one.
        DataError: no manifest; a part is missing, or was made from another list or settings.
    """

    def __init__(self, root: str | Path, cache: DownloadCache | None = None) -> None:
        if remote := isinstance(root, str) and is_address(root):
            assert cache is not None
            self.parts = find_on_server(str(root), cache)
        else:
            self.parts = find_folders(Path(root).expanduser())
        self.root, self.remote = str(root), remote
        _check_parts(self.root, self.parts)
        self.layout = Layout(self.manifest["settings"]["tile"])
        self.shards = [(storage, item) for storage, part in self.parts for item in part["shards"]]
        self.tiles = [int(item["tiles"]) for _, item in self.shards]
        self.ends = list(accumulate(self.tiles))
        self._files: OrderedDict[int, ShardFile] = OrderedDict()

    @property
    def manifest(self) -> Manifest:
        """Of the first part; `settings` and `excluded` are those of all."""
        return self.parts[0][1]

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
        storage, item = self.shards[shard]
        tiles = self.tiles[shard]
        path = storage.shard(item, self.layout.shard_bytes(tiles))
        return ShardFile(path, self.layout, tiles)

    def load(self, number: int) -> Pixels:
        """Tile `number` as read-only uint8 (side, side, 3).

        Raises:
            DataError, StorageError: as `open`; its shard is damaged.
        """
        shard = self.shard_of(number)
        place = number - self.ends[shard] + self.tiles[shard]
        if not self.remote:
            if shard not in self._files:
                self._files[shard] = self.open(shard)
                if len(self._files) > _OPEN:
                    self._files.popitem(last=False)[1].close()
            self._files.move_to_end(shard)
            return self._files[shard].tile(place)
        file = self.open(shard)  # left open, it would take room after it left the cache
        try:
            return file.tile(place)
        finally:
            file.close()

    def shard_of(self, number: int) -> int:
        """The shard in which tile `number` is."""
        return int(np.searchsorted(self.ends, number, side="right"))

    def bytes_of(self, blocks: int) -> int:
        """About how many bytes the shards have that hold so many blocks of tiles, at most."""
        sizes = [self.layout.shard_bytes(tiles) for tiles in self.tiles]
        return min(sum(sizes), blocks * max(*sizes, BLOCK_TILES * self.layout.member))


def _check_parts(root: str, parts: list[tuple[TileStorage, Manifest]]) -> None:
    storage, first = parts[0]
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
                f"{other} and {storage} were not made from the same list of images with the "
                "same settings; prepare one of them again"
            )


class _Origin(NamedTuple):
    """Where a photograph comes from, how it was decoded and shrunk, and what came of it."""

    source: str
    decoded: str
    sha256: str

    def same(self, other: "_Origin") -> bool:
        """Whether two of the same name are the same picture."""
        if self.sha256 == other.sha256:
            return True
        # lists of files say nothing of what is in them: two folders may have the same names
        return self.source == other.source and self.decoded != other.decoded


def check_holdout(sets: Sequence[TileSet]) -> None:
    """Refuse sets that do not hold out alike: one might train on what another validates with.

    Raises:
        ConfigError: naming two of them.
    """
    first, *others = [tiles.manifest["settings"].get("val_fraction") for tiles in sets]
    for tiles, fraction in zip(sets[1:], others, strict=True):
        if fraction != first:
            raise ConfigError(
                f"{sets[0].root} holds out {first} of its images, {tiles.root} {fraction}:"
                " images held out in one may be trained on in the other; prepare one of them "
                f"again, with --val-fraction {first}, or train on one only"
            )


def photographs(sets: Sequence[TileSet]) -> tuple[dict[str, Path], set[str]]:
    """Name and file of each whole photograph, and the names of those held out.

    Two photos with one name are duplicates if their SHA-256 match, or if both sets come from the
    same source but were decoded or resized differently. Other namesakes get a suffix.

    Raises:
        DataError, StorageError: one cannot be fetched.
    """
    named: dict[str, Path] = {}
    held_out: set[str] = set()
    known: dict[str, list[_Origin]] = {}
    for tiles in sets:
        for kind in (PHOTOGRAPHS, VALIDATION):
            found = [(storage, part, item) for storage, part in tiles.parts for item in part[kind]]
            for storage, part, item in sorted(found, key=lambda one: str(one[2]["name"])):
                source = {key: fact for key, fact in part["source"].items() if key != "note"}
                own = _Origin(
                    json.dumps(source, sort_keys=True),
                    json.dumps([part["settings"].get("resize"), part.get("made_with")]),
                    str(item["sha256"]),
                )
                namesakes = known.setdefault(item["name"], [])
                number = next((n for n, one in enumerate(namesakes) if own.same(one)), None)
                if number is None:
                    number = len(namesakes)
                    namesakes.append(own)
                name = f"{item['name']} ({number + 1})" if number else item["name"]
                named[name] = storage.photograph(item)
                if kind == VALIDATION:
                    held_out.add(name)
    return named, held_out


def not_excluded(tiles: TileSet, hashes: Sequence[int]) -> int:
    """How many of the pictures with these perceptual hashes a set was not prepared without."""
    excluded = [int(value, 16) for value in tiles.manifest["excluded"]]
    return sum(all((one ^ other).bit_count() > NEAR for other in excluded) for one in hashes)
