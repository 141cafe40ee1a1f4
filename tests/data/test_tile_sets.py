import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.prepare.conftest import SMALL, paint

from rnncodec.data.tile_sets import TileSet
from rnncodec.errors import DataError
from rnncodec.prepare.pipeline import prepare
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
