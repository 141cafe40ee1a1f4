import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.test_tile_module import PLAIN, album

from rnncodec.data.tile_module import TileData
from rnncodec.data.tile_sets import TileSet, not_excluded, photographs
from rnncodec.errors import ConfigError
from rnncodec.prepare.pipeline import prepare
from rnncodec.prepare.settings import Mode, Settings
from rnncodec.prepare.sources import Files


def made(source: Path, out: Path, exclude: Path | None = None, **changes) -> Path:
    prepare(Files(source), out, Settings(**{**PLAIN, **changes}), exclude=exclude)
    return out


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Path:
    """An album, and in `all` the tiles of it."""
    folder = tmp_path_factory.mktemp("one")
    made(album(folder / "album", 20), folder / "all")
    return folder


def test_sets_that_hold_out_otherwise_are_not_mixed(one: Path, tmp_path: Path):
    other = made(one / "album", tmp_path / "other", val_fraction=0.3)
    data = TileData([one / "all", other], crop=16)
    with pytest.raises(
        ConfigError,
        match=r"all holds out 0\.1 of its images, .*other 0\.3: .* --val-fraction 0\.1,",
    ):
        data.setup()


def test_namesakes_of_other_sources_are_other_pictures(one: Path, tmp_path: Path):
    """As the rows of two Hugging Face data sets are, which have numbers for names."""
    (tmp_path / "others").mkdir()
    album(tmp_path / "others" / "album", 20, first=20)
    for number in range(20):  # under the names of the first ones
        path = tmp_path / "others" / "album" / f"{20 + number}.png"
        path.rename(path.with_name(f"{number}.png"))
    other = made(tmp_path / "others" / "album", tmp_path / "again")
    sets = [TileSet(one / "all"), TileSet(other)]
    named, held_out = photographs(sets)
    (alone, held_out_alone) = photographs(sets[:1])
    assert len(named) == 2 * len(alone)
    assert len(held_out) == 2 * len(held_out_alone) > 0
    pixels = {np.asarray(Image.open(path)).tobytes() for path in named.values()}
    assert len(pixels) == len(named), "each picture is there, once"
    assert held_out == {n for n in named if n.removesuffix(" (2)") in held_out_alone}


def test_the_same_pictures_cut_otherwise_are_there_once(one: Path, tmp_path: Path):
    thumbnails = made(one / "album", tmp_path, mode=Mode.THUMBNAIL, resize=(32, 32))
    sets = [TileSet(one / "all"), TileSet(thumbnails)]
    named, held_out = photographs(sets)
    assert (set(named), held_out) == (set(photographs(sets[:1])[0]), photographs(sets[:1])[1])


def test_evaluation_images_that_a_set_may_hold_are_told(one: Path, tmp_path: Path, caplog):
    (tmp_path / "eval").mkdir()
    noise = np.random.default_rng(3).integers(0, 256, (9, 12, 3), np.uint8)
    Image.fromarray(noise).resize((120, 90)).save(tmp_path / "eval" / "a.png")
    without = made(one / "album", tmp_path / "without", exclude=tmp_path / "eval")
    data = TileData([one / "all", without], crop=16)
    data.exclude([tmp_path / "eval" / "a.png"])
    with caplog.at_level(logging.WARNING):
        data.setup()
    (record,) = caplog.records
    assert f"{one / 'all'} was not prepared without 1 of the 1 evaluation" in record.getMessage()


def test_what_was_excluded_is_found_again(one: Path):
    tiles = TileSet(one / "all")
    tiles.manifest["excluded"] = ["00000000000000ff", "ff00000000000000"]
    assert not_excluded(tiles, [0xFF, 0x1F, 0x0F, 0xFF << 56]) == 1
