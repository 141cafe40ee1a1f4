import hashlib
import multiprocessing
from functools import partial
from pathlib import Path

import pytest
from tests.machine.web_server import serving

from rnncodec.data.tile_module import default_cache
from rnncodec.errors import DataError, StorageError
from rnncodec.machine.download import DownloadCache

FILES = {f"{number}": bytes([number]) * 1000 for number in range(5)}
SUMS = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


@pytest.fixture
def server(tmp_path: Path):
    (tmp_path / "web").mkdir()
    for name, content in FILES.items():
        (tmp_path / "web" / name).write_bytes(content)
    with serving(tmp_path / "web") as server:
        yield server


def fetch(cache: DownloadCache, url: str, *names: str) -> list[Path]:
    return [cache.fetch(f"{url}/{name}", SUMS[name], 1000) for name in names]


def held(cache: DownloadCache) -> set[str]:
    return {name for name, digest in SUMS.items() if cache.path(digest).exists()}


def test_fetched_once(server, tmp_path: Path):
    cache = DownloadCache(tmp_path / "cache", 10_000)
    first, again = fetch(cache, server.url, "1", "1")
    assert first == again
    assert first.read_bytes() == FILES["1"]
    assert server.asked["1"] == 1


def test_there_is_never_more_than_the_room(server, tmp_path: Path):
    cache = DownloadCache(tmp_path / "cache", 3500)
    for name in "012340123":
        fetch(cache, server.url, name)
        assert sum(p.stat().st_size for p in cache.folder.iterdir() if p.name != "lock") <= 3500


def test_the_longest_unused_goes(server, tmp_path: Path):
    cache = DownloadCache(tmp_path / "cache", 3000)
    fetch(cache, server.url, "0", "1", "2", "0", "3")
    assert held(cache) == {"0", "2", "3"}
    fetch(cache, server.url, "4")
    assert held(cache) == {"0", "3", "4"}


def test_what_is_not_ours_stays(server, tmp_path: Path):
    cache = DownloadCache(tmp_path / "cache", 1000)
    cache.folder.mkdir()
    (cache.folder / "holiday.jpg").write_bytes(bytes(5000))
    (cache.folder / ".bashrc").touch()
    fetch(cache, server.url, "0", "1")
    assert {path.name for path in cache.folder.iterdir()} == {
        *("holiday.jpg", ".bashrc", "lock", SUMS["1"]),
    }


def test_what_a_killed_process_left_is_cleared(server, tmp_path: Path):
    cache = DownloadCache(tmp_path / "cache", 3000)
    cache.folder.mkdir()
    (cache.folder / f".{SUMS['0']}.x7_1").write_bytes(bytes(500))
    fetch(cache, server.url, "0")
    assert {path.name for path in cache.folder.iterdir()} == {"lock", SUMS["0"]}


def test_processes_that_want_the_same_fetch_it_once(server, tmp_path: Path):
    cache = DownloadCache(tmp_path / "cache", 10_000)
    context = multiprocessing.get_context("fork")
    work = partial(fetch, cache, server.url, *FILES)
    processes = [context.Process(target=work) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert set(server.asked.values()) == {1}


def test_a_file_larger_than_the_room(tmp_path: Path):
    with pytest.raises(DataError, match=r"has 1,000 bytes, the cache 999; raise data\.cache_gb"):
        DownloadCache(tmp_path, 999).fetch("http://127.0.0.1/x", SUMS["0"], 1000)


def test_a_folder_that_is_none(server, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot be written .*; set data\.cache_dir"):
        fetch(DownloadCache(tmp_path / "file" / "cache", 3000), server.url, "0")


def test_the_default_is_in_the_users_cache(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "rnncodec" / "tiles"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache().parts[-3:] == (".cache", "rnncodec", "tiles")
