import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.machine.web_server import WebServer, serving
from tests.prepare.conftest import SMALL, paint

from rnncodec.data.tile_sets import TileSet, photographs
from rnncodec.errors import ConfigError, DataError
from rnncodec.machine.download import DownloadCache as Cache
from rnncodec.prepare.pipeline import prepare
from rnncodec.prepare.settings import Settings
from rnncodec.prepare.sources import Files


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> Path:
    """A set, `whole`, and the same in two parts, `parts`."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "album").mkdir()
    for number in range(12):
        paint(number, (48, 48)).save(folder / "album" / f"{number}.png")
    prepare(Files(folder / "album"), folder / "whole", Settings(**SMALL))
    for number in range(2):
        prepare(Files(folder / "album"), folder / "parts", Settings(**SMALL, part=(number, 2)))
    return folder


@pytest.fixture
def server(web: Path):
    with serving(web) as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", 10**8, pauses=())


def same_tiles(one: TileSet, other: TileSet) -> bool:
    pairs = ((one.load(number), other.load(number)) for number in range(len(other)))
    return len(one) == len(other) and all(np.array_equal(*pair) for pair in pairs)


def stored(cache: Cache) -> list[Path]:
    """Whatever was downloaded, in whatever state."""
    return [path for path in cache.folder.rglob("*") if path.is_file() and path.name != "lock"]


def test_the_tiles_and_photographs_of_the_folder(web: Path, server: WebServer, cache: Cache):
    local, remote = TileSet(web / "whole"), TileSet(f"{server.url}/whole/", cache)
    assert same_tiles(remote, local)
    (ours, held_out), (theirs, also) = photographs([remote]), photographs([local])
    assert (ours.keys(), held_out) == (theirs.keys(), also)
    assert all(ours[name].read_bytes() == theirs[name].read_bytes() for name in ours)
    assert set(server.asked.values()) == {1}, "each file once"


def test_what_is_on_the_disk_is_not_asked_for_again(server: WebServer, cache: Cache):
    first = TileSet(f"{server.url}/whole", cache)
    first.load(0), photographs([first])
    before = server.asked.copy()
    second = TileSet(f"{server.url}/whole", cache)
    second.load(0), photographs([second])
    assert server.asked - before == {"whole/manifest.json": 1}


def test_in_less_room_than_the_set_takes(web: Path, server: WebServer, tmp_path: Path):
    local = TileSet(web / "whole")
    room = 2 * local.layout.shard_bytes(16)
    remote = TileSet(f"{server.url}/whole", Cache(tmp_path / "s", room, pauses=()))
    assert len(local.shards) > 3
    for number in np.random.default_rng(0).permutation(len(local)).tolist():
        assert np.array_equal(remote.load(number), local.load(number))
        assert sum(path.stat().st_size for path in (tmp_path / "s").iterdir()) <= room


def test_the_address_of_one_part_stands_for_all(web: Path, server: WebServer, cache: Cache):
    remote = TileSet(f"{server.url}/parts/part-001-of-002", cache)
    assert same_tiles(remote, TileSet(web / "parts"))


def test_the_address_above_the_parts_says_what_to_give(server: WebServer, cache: Cache):
    with pytest.raises(DataError, match=r"404 Not Found.*/parts/part-000-of-00N"):
        TileSet(f"{server.url}/parts", cache)


def test_no_address(cache: Cache):
    with pytest.raises(ConfigError, match="expected http"):
        TileSet("https://me:word@host/set", cache)


@pytest.mark.parametrize("name", ["../secret.tar", "http://127.0.0.1:1/x.tar", "/etc/passwd"])
def test_a_manifest_that_leads_elsewhere(
    web: Path, server: WebServer, cache: Cache, tmp_path: Path, name: str
):
    manifest = json.loads((web / "whole" / "manifest.json").read_text())
    manifest["shards"][0]["name"] = name
    server.root = tmp_path
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"/bad/manifest\.json is damaged: .* no file of the set"):
        TileSet(f"{server.url}/bad", cache)
    assert set(server.asked) == {"bad/manifest.json"}
    assert not cache.folder.exists()


def test_a_shard_that_is_another(web: Path, server: WebServer, cache: Cache, tmp_path: Path):
    shutil.copytree(web / "whole", tmp_path / "copy")
    path = tmp_path / "copy" / "shard-000000.tar"
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(data)
    server.root = tmp_path
    remote = TileSet(f"{server.url}/copy", cache)
    with pytest.raises(DataError, match=r"copy/shard-000000\.tar: its SHA-256 is .* expected"):
        remote.load(0)
    assert stored(cache) == []


def test_a_server_that_goes_away(server: WebServer, cache: Cache):
    remote = TileSet(f"{server.url}/whole", cache)
    server.faults["whole/shard-000000.tar"] = ["cut"]
    with pytest.raises(DataError, match=r"shard-000000\.tar: it ended [\d,]+ bytes early"):
        remote.load(0)
    assert stored(cache) == []
    assert remote.load(0).shape == (16, 16, 3), "and comes back"
