"""Where the files of a tile set are: in a folder, or on a web server, with a cache of copies."""

import re
import tempfile
from pathlib import Path
from typing import Any, TypeAlias

from rnncodec.data import tile_manifest
from rnncodec.errors import DataError
from rnncodec.machine.download import DownloadCache, Expected, check_address, download

_PART = re.compile(r"(.*/part-)(\d{3,6})-of-(\d{3,6})")
_MOST_PARTS = 100_000
_MANIFEST = 1 << 28  # bytes of one at most
_PHOTOGRAPH = 4 << 20  # of at most 512x512 pixels

Manifest = dict[str, Any]


class LocalStorage:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def shard(self, item: Manifest, size: int) -> Path:
        """The path of a shard of so many bytes."""
        return self.root / str(item["name"])

    def photograph(self, item: Manifest) -> Path:
        """The path of a whole photograph."""
        return self.root / str(item["file"])


class HttpStorage:
    """A folder of a web server; shards are cached, and photographs stored beside them."""

    def __init__(self, url: str, cache: DownloadCache) -> None:
        self.url = url
        self.cache = cache

    def __str__(self) -> str:
        return self.url

    def shard(self, item: Manifest, size: int) -> Path:
        """The path of a copy in the cache, fetched if it must be.

        Raises:
            DataError, StorageError: it cannot be fetched.
        """
        return self.cache.fetch(f"{self.url}/{item['name']}", item["sha256"], size)

    def photograph(self, item: Manifest) -> Path:
        """The path of a copy that stays, likewise."""
        path = self.cache.folder / "photographs" / f"{item['sha256']}.png"
        if not path.exists():
            expected = Expected(_PHOTOGRAPH, sha256=item["sha256"])
            download(f"{self.url}/{item['file']}", path, expected, pauses=self.cache.pauses)
        return path

    def manifest(self) -> Manifest:
        """What the server says of the set.

        Raises:
            DataError: it cannot be fetched, or is none.
        """
        with tempfile.TemporaryDirectory() as folder:
            path, url = Path(folder) / tile_manifest.NAME, f"{self.url}/{tile_manifest.NAME}"
            download(url, path, Expected(_MANIFEST), pauses=self.cache.pauses)
            return tile_manifest.read(path, name=url)


TileStorage: TypeAlias = LocalStorage | HttpStorage
"""Of a whole set or a part of one."""


def find_folders(root: Path) -> list[tuple[TileStorage, Manifest]]:
    """Folder and manifest of a set, or of each of its parts.

    Raises:
        DataError: there is none, or a manifest is none.
    """
    folders = [path.parent for path in sorted(root.glob(f"part-*-of-*/{tile_manifest.NAME}"))]
    return [
        (LocalStorage(folder), tile_manifest.read(folder / tile_manifest.NAME))
        for folder in folders or [root]
    ]


def find_on_server(url: str, cache: DownloadCache) -> list[tuple[TileStorage, Manifest]]:
    """Address and manifest of a set; given the address of one part, of all of them.

    Raises:
        ConfigError: it is no address of a folder.
        DataError: the server has no such set.
    """
    url = check_address(url)
    part = _PART.fullmatch(url)
    count = int(part[3]) if part else 1
    if count > _MOST_PARTS:
        raise DataError(f"{url}: a set has at most {_MOST_PARTS:,} parts")
    urls = [f"{part[1]}{number:03d}-of-{part[3]}" for number in range(count)] if part else [url]
    servers = [HttpStorage(one, cache) for one in urls]
    try:
        return [(server, server.manifest()) for server in servers]
    except DataError as error:
        if part or "404" not in str(error):
            raise
        raise DataError(
            f"{error}. Of a set in parts give the address of one: {url}/part-000-of-00N"
        ) from error
