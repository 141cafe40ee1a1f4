import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from webdataset.tariterators import group_by_keys, tar_file_iterator

from rnncodec.data.shards import END, Layout, ScoredTiles, ShardFile
from rnncodec.errors import DataError


def some(side: int, count: int = 3) -> ScoredTiles:
    pixels = np.random.default_rng(side).integers(0, 256, (count, side, side, 3), np.uint8)
    places = range(0, count * side, side)
    return ScoredTiles(pixels, list(places), [5 * p for p in places], [900 + p for p in places])


def write(path: Path, side: int = 32, count: int = 3) -> ScoredTiles:
    tiles = some(side, count)
    path.write_bytes(Layout(side).pack(7, tiles) + END)
    return tiles


def test_a_member_of_32_pixels_is_a_page():
    assert Layout(32).member == 4096


@pytest.mark.parametrize("side", [16, 32, 48, 128])
def test_tarfile_and_pillow_read_what_was_packed(tmp_path: Path, side: int):
    tiles = write(tmp_path / "a.tar", side)
    with tarfile.open(tmp_path / "a.tar", "r:") as archive:
        members = archive.getmembers()
        pictures = [np.asarray(Image.open(archive.extractfile(m))) for m in members]
    assert np.array_equal(pictures, tiles.pixels)
    assert members[1].name == f"000000007-{side:05d}-{5 * side:05d}-{900 + side:06d}.ppm"
    assert [m.offset for m in members] == [n * Layout(side).member for n in range(3)]


def test_headers_are_those_tarfile_writes(tmp_path: Path):
    packed = Layout(32).pack(3, some(32, 1))
    info = tarfile.TarInfo("000000003-00000-00000-000900.ppm")
    info.size = 13 + 3072
    assert packed[:512] == info.tobuf(tarfile.USTAR_FORMAT)


def test_webdataset_reads_what_was_packed(tmp_path: Path):
    tiles = write(tmp_path / "a.tar")
    with (tmp_path / "a.tar").open("rb") as file:
        files = ({**found, "__url__": "a.tar"} for found in tar_file_iterator(file))
        samples = list(group_by_keys(files))
    pictures = [np.asarray(Image.open(io.BytesIO(sample["ppm"]))) for sample in samples]
    assert np.array_equal(pictures, tiles.pixels)


def test_reading_by_number(tmp_path: Path):
    tiles = write(tmp_path / "a.tar", count=4)
    shard = ShardFile(tmp_path / "a.tar", Layout(32), 4)
    assert all(np.array_equal(shard.tile(n), tiles.pixels[n]) for n in (3, 0, 2))
    names = Layout(32).names(shard.members(0, 4))
    assert names.image.tolist() == [7] * 4
    assert names.left.tolist() == list(tiles.lefts)
    assert names.score.tolist() == list(tiles.scores)
    shard.close()


def test_a_shard_of_another_size(tmp_path: Path):
    write(tmp_path / "a.tar")
    with pytest.raises(DataError, match=r"has 13,312 bytes, expected 17,408"):
        ShardFile(tmp_path / "a.tar", Layout(32), 4)


def test_a_missing_shard(tmp_path: Path):
    with pytest.raises(DataError, match=r"cannot read the shard .*no\.tar: No such file"):
        ShardFile(tmp_path / "no.tar", Layout(32), 4)


def test_a_damaged_member_is_named(tmp_path: Path):
    write(tmp_path / "a.tar")
    data = bytearray((tmp_path / "a.tar").read_bytes())
    data[4096 + 512] = ord("X")
    (tmp_path / "a.tar").write_bytes(data)
    shard = ShardFile(tmp_path / "a.tar", Layout(32), 3)
    shard.tile(0)
    with pytest.raises(DataError, match=r"a\.tar, member 1: expected PPM pictures of 32x32"):
        shard.tile(1)
    shard.close()


def test_names_of_something_else():
    with pytest.raises(DataError, match="name is not that of a tile"):
        Layout(32).names(bytes(4096))
