import itertools
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.prepare.conftest import SMALL, paint

from rnncodec.data.tile_sets import Mixture, Order, TileSet, shares
from rnncodec.errors import ConfigError, DataError
from rnncodec.prepare.run import prepare
from rnncodec.prepare.settings import Settings
from rnncodec.prepare.sources import Files


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("album")
    for number in range(9):
        paint(number, (48, 48)).save(root / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def parts(album: Path, tmp_path_factory) -> Path:
    """A set in two parts, shards of 16."""
    folder = tmp_path_factory.mktemp("parts")
    for number in range(2):
        prepare(Files(album), folder, Settings(**SMALL, part=(number, 2)))
    return folder


def test_tiles_by_number_go_through_all_parts_and_shards(parts: Path):
    tiles = TileSet(parts)
    assert len(tiles.tiles) >= 4
    members = b"".join(
        (place.root / item["name"]).read_bytes()[:-1024] for place, item in tiles.shards
    )
    expected = tiles.layout.pixels(members)
    assert len(expected) == len(tiles)
    copy = pickle.loads(pickle.dumps(tiles))
    for number in reversed(range(len(tiles))):
        assert np.array_equal(copy.load(number), expected[number])


def test_files_are_closed_again(parts: Path, monkeypatch):
    monkeypatch.setattr("rnncodec.data.tile_sets._OPEN", 2)
    tiles = TileSet(parts)
    for number in range(len(tiles)):
        tiles.load(number)
    assert len(tiles._files) == 2


def test_a_missing_part(parts: Path, tmp_path: Path):
    shutil.copytree(parts, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "part-001-of-002")
    with pytest.raises(DataError, match=r"lacks the parts 1 of 2; run .* --shard 1/2"):
        TileSet(tmp_path / "copy")


def test_parts_of_different_lists(parts: Path, tmp_path: Path):
    shutil.copytree(parts, tmp_path / "copy")
    path = tmp_path / "copy" / "part-001-of-002" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["source"]["listing_sha256"] = "0" * 64
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="not made from the same list of images"):
        TileSet(tmp_path / "copy")


def test_a_truncated_shard_is_found_before_training(parts: Path, tmp_path: Path):
    shutil.copytree(parts, tmp_path / "copy")
    path = tmp_path / "copy" / "part-001-of-002" / "shard-000000.tar"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"part-001-of-002/shard-000000\.tar has"):
        TileSet(tmp_path / "copy").check()


@pytest.mark.parametrize("total", [1, 1023, 1024, 1025, 5000])
@pytest.mark.parametrize("window", [1, 3, 100])
def test_each_tile_once_a_pass(total: int, window: int):
    order = Order(total, window=window, seed=3)
    passes = [[order.tile(p * total + i) for i in range(total)] for p in range(2)]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(total))
    if total > 1000:
        assert passes[0] != passes[1]
        assert passes[0] != sorted(passes[0])


def test_a_place_depends_on_nothing_asked_before():
    fresh = [Order(3000, window=2, seed=1).tile(index) for index in (5999, 0, 3000, 2999)]
    used = Order(3000, window=2, seed=1)
    for index in range(0, 9000, 7):
        used.tile(index)
    assert [used.tile(index) for index in (5999, 0, 3000, 2999)] == fresh


def test_reading_stays_in_a_window():
    order = Order(20 * 1024, window=4, seed=0)
    for start in range(0, 20 * 1024, 4 * 1024):
        assert len({order.tile(start + i) // 1024 for i in range(4 * 1024)}) == 4


def test_another_seed_or_set_has_another_order():
    orders = [Order(5000, window=8, seed=s, stream=k) for s, k in ((0, 0), (1, 0), (0, 1))]
    firsts = [[order.tile(index) for index in range(50)] for order in orders]
    assert all(a != b for a, b in itertools.combinations(firsts, 2))


def test_neighbours_in_an_order_are_unrelated():
    order = Order(64 * 1024, window=64, seed=0)
    tiles = np.array([order.tile(index) for index in range(20000)])
    assert abs(np.corrcoef(tiles[:-1], tiles[1:])[0, 1]) < 0.03


def test_a_mixture_keeps_its_weights_and_leaves_no_gap():
    mixture = Mixture([3, 1, 0.01], seed=0)
    places = [mixture.place(index) for index in range(3 * 4096)]
    for which, share in enumerate(mixture.shares):
        assert [place for found, place in places if found == which] == list(range(3 * share))
    assert Mixture([3, 1, 0.01], seed=0).place(9000) == places[9000]
    first = [found for found, _ in places[:400]]
    assert 0.6 < first.count(0) / 400 < 0.9


def test_shares():
    assert sum(shares([1, 1, 1])) == 4096
    assert shares([5]) == [4096]
    with pytest.raises(ConfigError, match=r"data\.weights=\[1, 0\]: expected positive"):
        shares([1, 0])
    with pytest.raises(ConfigError, match="at least 1/4096 of their sum"):
        shares([1, 0.00001])
