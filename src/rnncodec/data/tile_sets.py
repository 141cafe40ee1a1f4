"""Prepared sets, in folders or on web servers: tiles by number, and whole photographs."""

import json
import re
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnncodec.data import tile_manifest
from rnncodec.data.perceptual_hash import NEAR
from rnncodec.data.shards import Layout, ShardFile
from rnncodec.data.tile_manifest import PHOTOGRAPHS, VALIDATION, Manifest
from rnncodec.data.tile_order import BLOCK_TILES
from rnncodec.errors import DataError
from rnncodec.images.reading import Pixels
from rnncodec.machine.download import (
    DownloadCache,
    Expected,
    check_address,
    download,
    is_address,
)

_OPEN = 64  # shards open at a time
_PART = re.compile(r"(.*/part-)(\d{3,6})-of-(\d{3,6})")
_MOST_PARTS = 100_000
_MANIFEST_BYTES = 1 << 28  # of one at most
_PHOTOGRAPH_BYTES = 4 << 20  # of at most 512x512 pixels


@dataclass(frozen=True)
class Part:
    """A set, or a part of one: its manifest, and its folder or its address with a cache."""

    root: Path | str
    manifest: Manifest
    cache: DownloadCache | None = None

    def shard(self, item: Manifest, size: int) -> Path:
        """The path of a shard of so many bytes, fetched into the cache if it must be."""
        if self.cache is None:
            return Path(self.root, item["name"])
        return self.cache.fetch(f"{self.root}/{item['name']}", item["sha256"], size)

    def photograph(self, item: Manifest) -> Path:
        """The path of a whole photograph; a fetched one stays beside the cache."""
        if self.cache is None:
            return Path(self.root, item["file"])
        path = self.cache.folder / "photographs" / f"{item['sha256']}.png"
        if not path.exists():
            expected = Expected(_PHOTOGRAPH_BYTES, sha256=item["sha256"])
            download(f"{self.root}/{item['file']}", path, expected, pauses=self.cache.pauses)
        return path


class TileSet:
    """The tiles of a prepared set (and of its parts), numbered through all shards.

    Opens shards when they are needed; pickling carries no open file.

    Args:
        root: a folder, or the http(s) address of one (of a set in parts, that of any part).
        cache: of shards from a server; needed for an address.

    Raises:
        ConfigError: an address that cannot be one.
        DataError: no manifest; a part is missing, or was made from another list or settings.
    """

    def __init__(self, root: str | Path, cache: DownloadCache | None = None) -> None:
        self.root = str(root)
        self.remote = is_address(root)
        if self.remote:
            assert cache is not None
            self.parts = _parts_on_server(self.root, cache)
        else:
            found = sorted(Path(root).expanduser().glob(f"part-*-of-*/{tile_manifest.NAME}"))
            folders = [path.parent for path in found] or [Path(root).expanduser()]
            self.parts = [
                Part(one, tile_manifest.read(one / tile_manifest.NAME)) for one in folders
            ]
        _check_parts(self.root, self.parts)
        self.layout = Layout(self.manifest["settings"]["tile"])
        self.shards = [(part, item) for part in self.parts for item in part.manifest["shards"]]
        self.tiles = [int(item["tiles"]) for _, item in self.shards]
        self.ends = list(accumulate(self.tiles))
        self._files: OrderedDict[int, ShardFile] = OrderedDict()

    @property
    def manifest(self) -> Manifest:
        """Of the first part; `settings` and `excluded` are those of all."""
        return self.parts[0].manifest

    def __len__(self) -> int:
        return self.ends[-1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": OrderedDict()}

    def check(self) -> None:
        """Open each shard once, if they are files of this machine; DataError as `open`."""
        for number in range(0 if self.remote else len(self.shards)):
            self.open(number).close()

    def open(self, shard: int) -> ShardFile:
        """A shard, fetched if it must be.

        Raises:
            DataError: it is missing, or has another size than it should.
            StorageError: there is no room for it.
        """
        part, item = self.shards[shard]
        tiles = self.tiles[shard]
        return ShardFile(part.shard(item, self.layout.shard_bytes(tiles)), self.layout, tiles)

    def load(self, number: int) -> Pixels:
        """Tile `number` as read-only uint8 (side, side, 3).

        Raises:
            DataError, StorageError: as `open`; its shard is damaged.
        """
        shard = self.shard_of(number)
        place = number - self.ends[shard] + self.tiles[shard]
        if self.remote:
            file = self.open(shard)  # left open, it would take room after it left the cache
            try:
                return file.tile(place)
            finally:
                file.close()
        if shard not in self._files:
            self._files[shard] = self.open(shard)
            if len(self._files) > _OPEN:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(shard)
        return self._files[shard].tile(place)

    def shard_of(self, number: int) -> int:
        """The shard in which tile `number` is."""
        return int(np.searchsorted(self.ends, number, side="right"))

    def bytes_of(self, blocks: int) -> int:
        """About how many bytes the shards have that hold so many blocks of tiles, at most."""
        sizes = [self.layout.shard_bytes(tiles) for tiles in self.tiles]
        return min(sum(sizes), blocks * max(*sizes, BLOCK_TILES * self.layout.member))


def _parts_on_server(url: str, cache: DownloadCache) -> list[Part]:
    url = check_address(url)
    part = _PART.fullmatch(url)
    count = int(part[3]) if part else 1
    if count > _MOST_PARTS:
        raise DataError(f"{url}: a set has at most {_MOST_PARTS:,} parts")
    urls = [f"{part[1]}{number:03d}-of-{part[3]}" for number in range(count)] if part else [url]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for one in urls:
            path, name = Path(folder) / tile_manifest.NAME, f"{one}/{tile_manifest.NAME}"
            try:
                download(name, path, Expected(_MANIFEST_BYTES), pauses=cache.pauses)
            except DataError as error:
                if part or "404" not in str(error):
                    raise
                raise DataError(
                    f"{error}. Of a set in parts give the address of one: {url}/part-000-of-00N"
                ) from error
            found.append(Part(one, tile_manifest.read(path, name=name), cache))
    return found


def _check_parts(root: str, parts: Sequence[Part]) -> None:
    first = parts[0].manifest
    count = first["part"][1]
    found = {part.manifest["part"][0] for part in parts}
    if missing := sorted(set(range(count)) - found):
        raise DataError(
            f"{root} lacks the parts {', '.join(map(str, missing))} of {count}; run "
            f"`rnncodec prepare` with --shard {missing[0]}/{count}, or wait until it has finished"
        )
    for part in parts[1:]:
        content = part.manifest
        same = all(content[key] == first[key] for key in ("settings", "excluded"))
        listings = {one["source"].get("listing_sha256") for one in (content, first)}
        if content["part"][1] != count or not same or len(listings) > 1:
            raise DataError(
                f"{part.root} and {parts[0].root} were not made from the same list of images with "
                "the same settings; prepare one of them again"
            )


class _Origin(NamedTuple):
    """Where a photograph comes from, how it was decoded and shrunk, and what came of it."""

    source: str
    decoded: str
    sha256: str

    def same(self, other: "_Origin") -> bool:
        """Whether two of the same name are the same picture."""
        # lists of files say nothing of what is in them: two folders may have the same names
        otherwise = self.source == other.source and self.decoded != other.decoded
        return self.sha256 == other.sha256 or otherwise


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
            found = [(part, item) for part in tiles.parts for item in part.manifest[kind]]
            for part, item in sorted(found, key=lambda one: str(one[1]["name"])):
                made = part.manifest
                source = {key: fact for key, fact in made["source"].items() if key != "note"}
                own = _Origin(
                    json.dumps(source, sort_keys=True),
                    json.dumps([made["settings"].get("resize"), made.get("made_with")]),
                    item["sha256"],
                )
                namesakes = known.setdefault(item["name"], [])
                number = next((n for n, one in enumerate(namesakes) if own.same(one)), None)
                if number is None:
                    number = len(namesakes)
                    namesakes.append(own)
                name = f"{item['name']} ({number + 1})" if number else item["name"]
                named[name] = part.photograph(item)
                if kind == VALIDATION:
                    held_out.add(name)
    return named, held_out


def not_excluded(tiles: TileSet, hashes: Sequence[int]) -> int:
    """How many of the pictures with these perceptual hashes a set was not prepared without."""
    excluded = [int(value, 16) for value in tiles.manifest["excluded"]]
    return sum(all((one ^ other).bit_count() > NEAR for other in excluded) for one in hashes)
